"""What a desk knows when orders overtake the node's own facts."""

from typing import Any

import pytest
from msgspec.structs import replace

from events.facts import (
    ResultsProposed,
    ResultsProposedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.items import Claim, Proposal, Publication
from events.spec import JobSpec, PublisherSpec
from node.compute.desk import Desk, acknowledge, disposable, finished, running, take
from node.orders import Orders, PublishOrder, RunOrder
from publishers.unixfs import result_cid

ROOT = result_cid(b"", b"", 0)
CLAIM = Claim(ROOT.cid, ROOT.dag_size_bytes, 0)
LAST_WORDS: tuple[tuple[type[ResultsProposed | ResultsPublished], Any], ...] = (
    (ResultsProposed, ResultsProposedData(proposals=(Proposal(0, 0, claim=CLAIM),))),
    (
        ResultsPublished,
        ResultsPublishedData(
            publications=(Publication(0, 0, 0, "file:///x", CLAIM.cid, 1, 1, claim=CLAIM),)
        ),
    ),
)


@pytest.mark.parametrize(("kind", "data"), LAST_WORDS)
def test_a_job_may_end_on_a_fact_before_its_ack(
    kind: type[ResultsProposed | ResultsPublished], data: Any
) -> None:
    """A node whose result ended the job has nothing to add, though it hears of the end first."""
    desk = Desk(node="c1")
    spec = JobSpec(
        engine="process",
        command=("true",),
        verifier="none",
        publishers=(PublisherSpec(driver="local"),) if kind is ResultsPublished else (),
    )
    slots = (0,) if kind is ResultsPublished else ()
    awarded = Orders(job="j", fence=1, decision="d1", spec=spec, run=(RunOrder(0, 0, slots),))
    job = take(desk, awarded)
    assert job is not None
    task = job.tasks[0, 0]
    running(task)
    finished(job, task, CLAIM)
    for upload in task.uploads.values():
        upload.state = "done"
    take(desk, Orders(job="j", fence=2, decision="d2", closed=True))
    acknowledge(
        job,
        kind(id="e", source="/lota/c/c1", subject="j", time="", causationid="", data=data),
    )
    assert task.state == "ended"
    assert disposable(job)
    assert not job.due


def test_a_node_pays_for_nothing_in_a_job_that_it_cannot_read() -> None:
    """With a decision that it does not know, only free uploads and look-ups stay on the desk."""
    spec = JobSpec(
        engine="process",
        command=("true",),
        publishers=(PublisherSpec(driver="local"), PublisherSpec(driver="estuary")),
    )
    asked = Orders(
        job="j",
        fence=3,
        decision="d3",
        spec=spec,
        publish=(PublishOrder(0, 0, 0, "d3"), PublishOrder(0, 1, 0, "d3")),
        complete=True,
    )
    desk = Desk(node="c1", paid=frozenset({"estuary"}))
    job = take(desk, asked)
    assert job is not None
    assert sorted(job.tasks[0, 0].uploads) == [0, 1]

    take(desk, replace(asked, held="lota.publications.revoked.v2 at position 7"))
    assert (sorted(job.tasks[0, 0].uploads), job.doubt) == ([0], False)

    lookup = replace(asked.publish[1], lookup=True)
    take(desk, replace(asked, publish=(lookup,), held="lota.publications.revoked.v2"))
    assert job.tasks[0, 0].uploads[1].lookup
