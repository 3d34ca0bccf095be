"""Track records: how nodes fared in the jobs that ended."""

from collections import Counter

import pytest

from events.decisions import ExecutionsLost, ExecutionsLostData, JobFailed, JobFailedData
from events.entry import Entry
from events.facts import BidsDeclined, BidsDeclinedData
from events.items import Decline, Loss
from events.log import Record
from projections.network import Network
from projections.track_records import TrackRecord, TrackRecords
from tests.projections.conversation import Conversation
from tests.projections.story import story

SEEDS = (3, 1055)


class Recorded(Conversation):
    """A conversation of which the track records are kept."""

    def __init__(self) -> None:
        self.records = TrackRecords()
        self.records.begin(Network())
        super().__init__()

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        assert self.last is not None
        self.records.note(self.last, entry, self.network, stored=False)
        return entry

    def fail(self) -> None:
        """Let the job fail."""
        self.decide(
            JobFailed, JobFailedData, members=0, code="deadline", reason="late", closed=False
        )


def test_who_bid_has_won_or_lost_when_the_job_ends() -> None:
    """Of the nodes that were asked one won, one lost, one declined, and none before the end."""
    talk = Recorded()
    talk.submit()
    talk.plan()
    talk.bid("n0", "n1")
    decline = Decline(0, "busy", "no room")
    talk.tell("n2", BidsDeclined, BidsDeclinedData(declines=(decline,)))
    talk.award((0, 0, "n0"))
    assert not talk.records.of
    talk.fail()
    won, lost, declined = TrackRecord(won=1), TrackRecord(lost=1), TrackRecord(declined=1)
    assert talk.records.of == {"n0": won, "n1": lost, "n2": declined}


def test_what_a_node_was_lost_with_counts() -> None:
    """An execution that was given up on counts against its node, and the retry against nobody."""
    talk = Recorded()
    talk.submit()
    talk.plan()
    talk.bid("n0", "n1")
    talk.award((0, 0, "n0"))
    talk.decide(ExecutionsLost, ExecutionsLostData, members=0, lost=(Loss(0, 0, "gone"),))
    talk.award((0, 1, "n1"))
    talk.fail()
    assert talk.records.of == {"n0": TrackRecord(won=1, failed=1), "n1": TrackRecord(won=1)}


def test_a_job_ends_once() -> None:
    """What comes behind the end of a job, another end too, adds nothing."""
    talk = Recorded()
    talk.submit()
    talk.plan()
    talk.bid("n0")
    talk.fail()
    talk.fail()
    talk.bid("n1")
    assert talk.records.of == {"n0": TrackRecord(lost=1)}


def kept(records: tuple[Record, ...], network: Network, model: TrackRecords) -> TrackRecords:
    """Fold records, and let closed jobs go at once."""
    for record in records:
        entry = network.fold(record)
        model.note(record, entry, network, stored=False)
        job = network.jobs.get(entry.address.job) if entry is not None else None
        if job is not None and job.closed:
            network.retire(job.id)
    return model


@pytest.mark.parametrize("seed", SEEDS)
def test_all_of_a_log_is_recorded(seed: int) -> None:
    """Over a whole simulated network, records add up to the bids and failures of its jobs."""
    model = TrackRecords()
    model.begin(Network())
    kept(story(seed), Network(), model)
    whole = Network()
    for record in story(seed):
        whole.fold(record)
    told = Counter[str]()
    failed = Counter[str]()
    for job in whole.jobs.values():
        assert job.ended_ms
        told.update({node for offer in job.offers for node in (*offer.bids, *offer.declines)})
        executions = (execution for shard in job.shards for execution in shard.executions)
        failed.update(e.node for e in executions if e.state in ("failed", "lost"))
    assert sum(failed.values()) > 0
    assert {name: it.failed for name, it in model.of.items() if it.failed} == dict(failed)
    assert {name: it.won + it.lost + it.declined for name, it in model.of.items()} == dict(told)


@pytest.mark.parametrize("seed", SEEDS)
def test_records_outlive_a_restart(seed: int) -> None:
    """Restored at any position, a model comes to the same records as one that never stopped."""
    records = story(seed)
    whole = TrackRecords()
    whole.begin(Network())
    kept(records, Network(), whole)
    for cut in range(0, len(records), 29):
        network, before, after = Network(), TrackRecords(), TrackRecords()
        before.begin(network)
        kept(records[:cut], network, before)
        after.restore(before.state(), network)
        assert kept(records[cut:], network, after).state() == whole.state()
