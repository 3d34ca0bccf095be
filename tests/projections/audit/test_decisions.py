"""Decisions that do not follow from what was on the log: each is forged by hand and named."""

from collections.abc import Callable
from typing import Any

import pytest

from events.decisions import (
    ExecutionsLost,
    ExecutionsLostData,
    JobCancelled,
    JobCancelledData,
    JobFailed,
    JobFailedData,
    ShardsOffered,
    ShardsOfferedData,
)
from events.items import Award, Loss, Offer
from tests.projections.audit.forging import Forged, honest, replace

MADE: dict[str, Any] = {"seen": 0, "seal": "", "policy": "test", "members": 0}
"""What every decision records; the forged log fills it in."""
Change = Callable[[Any], Any]


def first_offer(change: Callable[[Offer], Offer]) -> Change:
    """Change the first offer of a plan."""
    return lambda data: replace(data, offers=(change(data.offers[0]), *data.offers[1:]))


PLANS: dict[str, tuple[Change, str]] = {
    "shards": (lambda data: replace(data, shards=3), "the spec and its listing make 2"),
    "deadline": (lambda data: replace(data, deadline_ms=data.deadline_ms + 10_000), "3m from"),
    "nobody": (lambda data: replace(data, offers=()), "4 nodes can run the shards"),
    "order": (
        first_offer(lambda offer: replace(offer, nodes=offer.nodes[::-1])),
        "the ring asks n1, n2, n3, n0",
    ),
    "stranger": (first_offer(lambda offer: replace(offer, nodes=("n1", "n9"))), "the ring asks"),
    "too few": (
        first_offer(lambda offer: replace(offer, nodes=offer.nodes[:1])),
        "the ring asks n1",
    ),
    "range": (first_offer(lambda offer: replace(offer, shards=((0, 2),))), "group 0 is 0 to 1"),
}


@pytest.mark.parametrize("name", PLANS)
def test_plan(name: str) -> None:
    """A plan follows from the listing, and its offers go to the best by the ring."""
    change, right = PLANS[name]
    log = honest()
    log.change("job.planned", change)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 7, "job.planned")
    assert finding.right.startswith(right)


@pytest.mark.parametrize(
    ("nodes", "right"),
    [(("n3",), "the ring asks n2"), (("n0", "n2"), "the ring asks n2, n0")],
    ids=["asked before", "worse"],
)
def test_offer(nodes: tuple[str, ...], right: str) -> None:
    """A further offer goes to who was asked least, and among these to the best by the ring."""
    log = honest()
    # Of the first offer only n1 and n3 were asked.
    log.change("job.planned", first_offer(lambda offer: replace(offer, nodes=("n1", "n3"))))
    at = log.find("bids.placed")
    offers = (Offer(((0, 1),), nodes),)
    log.tell(at, "r0", ShardsOffered, ShardsOfferedData(**MADE, offers=offers, bids_until_ms=0))

    (found,) = (one for one in log.audit().findings if one.type == "shards.offered")
    assert (found.kind, found.rule) == ("unproven", 7)
    assert found.right.startswith(right)


def award(log: Forged, *awards: Award) -> None:
    """Put other awards in the place of those that were made."""
    log.change("shards.awarded", lambda data: replace(data, awards=awards))


def small(log: Forged) -> None:
    """Let n1 bid for one execution at one time, and n0 not for shard 0."""
    for nth in range(4):
        at = log.find("bids.placed", nth)
        author = log.messages[at].subject.split(".")[5]
        if author == "n1":
            log.change(
                "bids.placed",
                lambda data: replace(data, bids=tuple(replace(bid, free=1) for bid in data.bids)),
                nth,
            )
        if author == "n0":
            log.change("bids.placed", lambda data: replace(data, bids=data.bids[1:]), nth)


AWARDS: dict[str, tuple[tuple[Award, ...], str]] = {
    "no bid": ((Award(0, 0, "n0"),), "an award goes to a node that has bid"),
    "not asked": ((Award(0, 0, "n9"),), "an award goes to a node that its offer named"),
    "no room": ((Award(0, 0, "n1"), Award(1, 0, "n1")), "its bid is for 1 at one time"),
    "twice": ((Award(0, 0, "n2"), Award(0, 1, "n2")), "replicas are on distinct nodes"),
    "too many": (
        (Award(0, 0, "n1"), Award(0, 1, "n2"), Award(0, 2, "n3")),
        "the deal is for 2",
    ),
    "attempt": ((Award(0, 1, "n2"),), "attempt 0 is next"),
}


@pytest.mark.parametrize("name", AWARDS)
def test_award(name: str) -> None:
    """An award goes to a live node that was asked and has bid, within its bid and the deal."""
    awards, right = AWARDS[name]
    log = honest()
    small(log)
    award(log, *awards)

    found = [one for one in log.audit().findings if one.type == "shards.awarded"]
    assert ("unproven", 7, right) in {(one.kind, one.rule, one.right) for one in found}


def one_judgement(**fields: Any) -> Change:
    """Change the judgement of the first verdict."""
    return lambda data: replace(data, judgements=(replace(data.judgements[0], **fields),))


def other_claim(data: Any) -> Any:
    """Accept another claim than the one that was revealed."""
    claim = replace(data.judgements[0].claim, exit_code=1)
    return one_judgement(claim=claim)(data)


@pytest.mark.parametrize(
    "change",
    [one_judgement(accepted=(0,)), one_judgement(result="failed", claim=None), other_claim],
    ids=["fewer", "failed", "claim"],
)
def test_verdict(change: Change) -> None:
    """A verdict is what the commitments and reveals before it make it."""
    log = honest()
    log.change("results.judged", change)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 5, "results.judged")
    assert finding.right.startswith("the claims make it: accepted")


def test_early_verdict() -> None:
    """A verdict waits for those who committed and may still reveal."""
    log = honest()
    reveal = log.messages.pop(log.find("results.revealed", 1))
    log.messages.insert(log.find("results.judged") + 1, reveal)
    for message in log.messages:
        if message.saw is reveal:
            message.saw = log.messages[log.find("results.revealed")]
    log.seal()

    whats = [one.what for one in log.audit().findings if one.rule == 5]
    assert "shard 0 is judged before the time for reveals is over" in whats


def test_reveal_request() -> None:
    """All who have committed are asked to reveal."""
    log = honest()
    log.change(
        "reveals.requested", lambda data: replace(data, executions=data.executions[:1]), nth=0
    )

    finding = log.finding()
    assert (finding.rule, finding.right) == (5, "all who committed are asked: [0, 1]")


def test_wrong_reveal() -> None:
    """A reveal that does not open its commitment is illegal."""
    log = honest()

    def change(data: Any) -> Any:
        return replace(data, reveals=(replace(data.reveals[0], nonce="00" * 32),))

    log.change("results.revealed", change)

    finding = log.finding()
    assert (finding.kind, finding.rule) == ("illegal", 5)
    assert finding.right == "a reveal opens the commitment made before"


def test_loss() -> None:
    """An execution that has time left on a node that is there is not lost."""
    log = honest()
    data = ExecutionsLostData(**MADE, lost=(Loss(1, 0, "no result in time"),))
    log.tell(log.find("executions.started"), "r0", ExecutionsLost, data)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 8, "executions.lost")
    assert finding.right.startswith("n0 is there and has time until")


COMPLETIONS: dict[str, tuple[Change, str]] = {
    "root": (lambda data: replace(data, root_cid=data.manifest.shards[0].cid), "its shards make"),
    "size": (lambda data: replace(data, dag_size_bytes=1), "its shards make"),
    "count": (
        lambda data: replace(data, manifest=replace(data.manifest, count=3)),
        "the job has 2",
    ),
    "line": (
        lambda data: replace(
            data, manifest=replace(data.manifest, shards=data.manifest.shards[::-1])
        ),
        'the line is {"shard":0',
    ),
    "blob": (
        lambda data: replace(data, manifest=replace(data.manifest, shards=(), blob="bafk")),
        "its shards make the blob",
    ),
}


@pytest.mark.parametrize("name", COMPLETIONS)
def test_completed(name: str) -> None:
    """The root and the manifest of a job are those of its shards' results."""
    change, right = COMPLETIONS[name]
    log = honest()
    log.change("job.completed", change)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 7, "job.completed")
    assert finding.right.startswith(right)


@pytest.mark.parametrize("field", ["root_cid", "root_blob"])
def test_published_root(field: str) -> None:
    """The root that nodes are to publish is the folder over the results, and its blocks."""
    log = honest()
    log.change("publications.assigned", lambda data: replace(data, **{field: "bafk"}))

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 7, "publications.assigned")


@pytest.mark.parametrize("code", ["user", "disagreement", "deadline", "inputs"])
def test_failed(code: Any) -> None:
    """A job does not fail without a shard that did, nor before its deadline."""
    log = honest()
    data = JobFailedData(**MADE, code=code, reason="it seems so")
    log.tell(log.find("executions.started"), "r0", JobFailed, data)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 7, "job.failed")


def test_cancelled() -> None:
    """A job is not cancelled without the wish."""
    log = honest()
    log.tell(log.find("executions.started"), "r0", JobCancelled, JobCancelledData(**MADE))

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.type) == ("unproven", 10, "job.cancelled")


def test_twice() -> None:
    """A job that has ended does not end again."""
    log = honest(publishers=())
    at = log.find("job.completed")
    log.tell(at + 1, "r0", JobCancelled, JobCancelledData(**MADE))
    log.change("job.completed", lambda data: replace(data, closed=False))

    rules = {(one.kind, one.rule) for one in log.audit().findings}
    assert ("illegal", 10) in rules
