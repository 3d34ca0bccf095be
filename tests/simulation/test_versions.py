"""Nodes of several versions in one network: who understands goes on, who does not does no harm."""

import pytest

from events.decisions import JobCancelled, JobCancelledData
from events.entry import read_entry
from events.errors import NewerEvent, WrongExpectedPosition
from node.effects import Append
from projections.network import Network
from tests.simulation.dialects import AWARDED, STARTED, TODAY, TOMORROW, YESTERDAY, Dialect
from tests.simulation.faults import WILD, without
from tests.simulation.stage import FREE, JOB, PAID, Stage
from tests.simulation.world import MALLORY, Plan, World

HONEST = without(without(WILD, "dishonest"), "amnesia")


def names(letter: str, dialect: Dialect, *numbers: int) -> dict[str, Dialect]:
    return {f"{letter}{number}": dialect for number in numbers}


def seen_by(codec: Dialect, stage: Stage) -> Network:
    network = Network(codec.codec)
    for record in stage.wire.log._records:
        network.fold(record)
    return network


def test_older_requester_leaves_a_job_that_it_cannot_read() -> None:
    """Once a newer decision stands in a job, only requesters that know it decide about the job."""
    stage = Stage(requesters=2, dialects=names("r", TOMORROW, 1))
    stage.requesters[0].cut_off = True
    stage.open()
    stage.submit(replicas=2, publishers=(FREE,), shards=3)
    stage.play(lambda: stage.told("shards.awarded"))
    stage.requesters[0].cut_off = False
    stage.play()

    log = stage.log()
    first = next(n for n, entry in enumerate(log) if entry.address.kind == "shards.awarded")
    deciders = {entry.address.author for entry in log[first:] if entry.address.role == "r"}
    assert (stage.job.state, stage.job.illegal, deciders) == ("completed", 0, {"r1"})
    assert stage.requesters[0].closed[JOB].held.startswith(f"{AWARDED} at position ")


def test_job_waits_for_a_requester_that_can_read_it() -> None:
    """With only older requesters left the job stands still, until a newer one is back."""
    stage = Stage(requesters=2, dialects=names("r", TOMORROW, 1))
    stage.open()
    stage.requesters[0].cut_off = True
    for node in stage.nodes:
        node.run_ms = 5_000
    stage.submit(replicas=2)
    stage.play(lambda: stage.told("shards.awarded"))
    stage.requesters[0].cut_off = False
    stage.requesters[1].crash()
    stage.play_for(60_000)
    assert stage.job.state == "running"
    assert [entry.address.author for entry in stage.log() if entry.address.role == "r"][-1] == "r1"

    stage.requesters[1].start()
    stage.play()
    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_the_fence_holds_off_who_has_not_noticed() -> None:
    """A decision that was made without the newer one is refused by the log."""
    stage = Stage(requesters=2, dialects=names("r", TOMORROW, 1))
    stage.requesters[0].cut_off = True
    stage.open()
    stage.submit()
    stage.play(lambda: stage.told("shards.awarded"))
    fence = seen_by(TODAY, stage).jobs[JOB].fence
    assert 0 < fence < stage.events("shards.awarded")[0].position

    stage.requesters[0].cut_off = False
    answers: list[Exception | None] = []
    data = JobCancelledData(seen=0, seal="", policy="")
    effect = Append(job=JOB, kind=JobCancelled, data=data, cause="", fence=fence)
    stage.requesters[0].send(effect, stage.requesters[0].write(effect), answers.append)
    stage.play()

    assert isinstance(answers[0], WrongExpectedPosition)
    assert stage.job.state == "completed"


def test_older_node_pays_for_nothing_that_it_cannot_read() -> None:
    """A node that finds a newer decision in its job publishes what is free, and pays nothing."""
    stage = Stage(nodes=3, dialects={"r0": TOMORROW})
    stage.open()
    stage.submit(replicas=2, publishers=(FREE, PAID), deadline="1m")
    stage.play()

    assert stage.payments == []
    copies = stage.job.shards[0].slots[0].copies
    assert (len(copies), stage.job.state, stage.job.illegal) == (1, "failed", 0)


def test_newer_node_pays_in_an_older_nodes_place() -> None:
    """The paid slot of a node that cannot read its job goes to one that can."""
    stage = Stage(nodes=2, dialects={"r0": TOMORROW, "n1": TOMORROW})
    stage.open()
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play()

    assert (stage.job.state, stage.payments) == ("completed", ["n1"])


def test_older_requester_does_not_pay_twice() -> None:
    """A start that it cannot read may be among what it skips: it takes no paid slot over."""
    stage = Stage(nodes=2, dialects={"n0": TOMORROW, "n1": TOMORROW})
    stage.open()
    for node in stage.nodes:
        node.upload_ms, node.pays_after_ms = 40_000, 0
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play()

    assert (stage.job.state, len(stage.payments)) == ("completed", 1)
    assert not stage.told("publications.revoked")
    assert seen_by(TODAY, stage).newer[STARTED].count == 1


@pytest.mark.parametrize("seed", range(8))
def test_mixed_network(seed: int) -> None:
    """Whatever goes wrong, a network that is half updated loses no job and breaks no rule."""
    dialects = {**names("r", TOMORROW, 0), **names("n", TOMORROW, *range(0, 7, 2))}
    world = World(Plan(seed=seed, jobs=8, requesters=2, nodes=5, faults=HONEST), dialects=dialects)
    world.run()


@pytest.mark.parametrize("seed", range(4))
def test_network_of_yesterday(seed: int) -> None:
    """A network that writes old types of all kinds folds, decides and audits as any."""
    dialects = {**names("r", YESTERDAY, 0, 1), **names("n", YESTERDAY, *range(4))}
    world = World(Plan(seed=seed, jobs=8, requesters=2, nodes=4, faults=HONEST), dialects=dialects)
    world.run()

    log = world.wire.log._records
    stored = {record.subject.split(".", 6)[6] for record in log if MALLORY not in record.subject}
    assert {"offers.accepted", "executions.done"} <= stored
    assert not {"bids.placed", "results.proposed"} & stored


def test_newer_is_told_from_noise() -> None:
    """A record of tomorrow is newer to today's codec, by name, and is no foreign message."""
    stage = Stage(dialects={"r0": TOMORROW})
    stage.open()
    stage.submit()
    stage.play()

    network = seen_by(TODAY, stage)
    assert (network.foreign, list(network.newer)) == (0, [AWARDED])
    record = stage.events("shards.awarded")[0].record
    with pytest.raises(NewerEvent, match=f"{AWARDED} was written by a newer version"):
        read_entry(record)
