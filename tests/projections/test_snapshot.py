"""Snapshots: of an open job all, of a closed one nothing, and what did not change not again."""

import hashlib
from collections import Counter
from pathlib import Path

import msgspec

from events.codec import PRESENT
from events.facts import BidsPlaced, BidsPlacedData
from events.items import Bid
from events.marks import Mark
from projections import nodes, state
from projections.kept_fold import BYTES_AT_ONCE, KeptFold
from projections.network import RETIRED_MAX, Network
from projections.snapshot import HEAD, SHARDS_PER_PART, VERSION, Restored, head, parts, read_head
from projections.store import Store
from tests.event_loop import counted_turns
from tests.projections.conversation import JOB, Conversation
from tests.projections.story import folded, story

MARK = Mark(7, "m")
SHAPE = "92ce3a81e3068694"
"""Of the structs of the fold: their names and their fields'."""


def restored(network: Network) -> Network:
    closed = [job.id for job in network.jobs.values() if job.closed]
    found = read_head(head(network, MARK, [*network.retired, *closed]).body)
    assert found is not None
    made = Restored(found)
    for job in network.jobs.values():
        if not job.closed:
            for part in parts(job):
                made.take(part)
    return made.network(PRESENT)


def test_version_is_raised_with_the_shape() -> None:
    """Whoever changes what is folded raises the version, or nodes start with what they misread."""
    kinds = [*vars(state).values(), *vars(nodes).values()]
    names = {
        kind.__qualname__: kind.__struct_fields__
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, state.Mutable)
    }
    shape = hashlib.sha256(msgspec.json.encode(sorted(names.items()))).hexdigest()[:16]

    assert (VERSION, shape) == (3, SHAPE), (
        "the state of the fold has another shape than in snapshots of this version: raise VERSION"
        " in projections/snapshot.py unless all that is new is a field with a default that holds"
        " for every job so far, and write the new shape down here"
    )


def test_open_jobs_are_restored() -> None:
    """At every position, a fold made of its snapshot is the fold, but for what has closed."""
    records = story(1055)
    for cut in range(1, len(records), 7):
        network = folded(records[:cut])
        again = restored(network)

        assert again.jobs == network.jobs
        assert list(again.jobs) == list(network.jobs)
        assert again.nodes == network.nodes
        assert (again.retired, again.strays) == (network.retired, network.strays)


def test_numbers_of_any_size_are_restored() -> None:
    """A number that a node made up, larger than machines count, comes through a snapshot."""
    talk = Conversation()
    talk.submit()
    talk.plan()
    talk.tell("n0", BidsPlaced, BidsPlacedData(bids=(Bid(0, 1 << 90),)))

    assert restored(talk.network).jobs == talk.network.jobs
    assert talk.job.offers[0].bids["n0"].free == 1 << 90


def test_decisions_before_their_job_are_restored() -> None:
    """What was decided about a job that is not there yet stands in its fence, also afterwards."""
    talk = Conversation()
    talk.fold(f"{talk.prefix}.r.mallory.a.b", b"?")
    position = talk.network.position
    talk.network = restored(talk.network)
    talk.submit()

    assert talk.job.fence == position


def test_closed_jobs_are_let_go() -> None:
    """A closed job that is still there is no part of a snapshot, and counts as let go."""
    talk = Conversation()
    talk.submit()
    talk.job.closed = True
    network = restored(talk.network)

    assert network.jobs == {}
    assert list(network.retired) == [JOB]


def test_what_was_let_go_is_bounded() -> None:
    """However many jobs were closed, no more of their names are kept than live."""
    network = Network()
    for number in range(RETIRED_MAX + 10):
        network.retire(f"j{number}")
    again = restored(network)

    assert len(again.retired) == RETIRED_MAX
    assert list(again.retired)[-1] == f"j{RETIRED_MAX + 9}"


def large(shards: int) -> Conversation:
    """Return a story with one large job, the others closed."""
    talk = Conversation()
    talk.submit()
    talk.plan(shards=shards)
    return talk


async def test_only_what_changed_is_written(tmp_path: Path) -> None:
    """A job is written in parts, again only after an event of it, and removed when it closes."""
    talk = large(2 * SHARDS_PER_PART + 1)
    store = await Store.open(tmp_path / "a.db")
    kept = KeptFold(store)

    async def taken() -> tuple[dict[str, int], set[str]]:
        snapshot = await kept.take(talk.network, MARK, (), {})
        kept.written(MARK)
        return Counter(part.job for part in snapshot.parts), {*snapshot.gone}

    first, again = await taken(), await taken()
    talk.tell("n0", BidsPlaced, BidsPlacedData(bids=(Bid(0, 1),)))
    changed = await taken()
    talk.job.closed = True
    closed = await taken()
    after = await taken()
    await store.close()

    assert first == ({HEAD: 1, JOB: 4}, {HEAD, JOB})
    assert again == ({HEAD: 1}, {HEAD})
    assert changed == first
    assert closed == ({HEAD: 1}, {HEAD, JOB})
    assert after == again


async def test_a_lost_snapshot_leaves_nothing_behind(tmp_path: Path) -> None:
    """Jobs of a snapshot that may or may not be in the store are written or removed by the next."""
    talk = large(1)
    store = await Store.open(tmp_path / "a.db")
    kept = KeptFold(store)
    await kept.take(talk.network, MARK, (), {})
    again = await kept.take(talk.network, MARK, (), {})
    talk.job.closed = True
    closed = await kept.take(talk.network, MARK, (), {})
    await store.close()

    assert JOB in again.gone
    assert JOB in {part.job for part in again.parts}
    assert JOB in closed.gone


async def test_large_job_lets_others_have_their_turn(tmp_path: Path) -> None:
    """While a job of 100,000 shards is gone through, the loop turns again and again."""
    talk = large(100_000)
    store = await Store.open(tmp_path / "a.db")
    with counted_turns() as turns:
        snapshot = await KeptFold(store).take(talk.network, MARK, (), {})
    await store.close()
    size = sum(len(part.body) for part in snapshot.parts)

    assert len(snapshot.parts) == 102
    assert turns.count >= size // BYTES_AT_ONCE > 1
