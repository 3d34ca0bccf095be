"""A fold that begins with a base is the fold of the whole log, wherever that was cut."""

from collections import Counter

import msgspec
import pytest

from events.errors import ContentError
from events.log import Base, Record
from events.subjects import NET
from projections.audit import Audit, Report, Scope
from projections.base import begin, encode_base
from projections.network import Network
from tests.projections.story import folded, story

SEEDS = (1, 3, 4)
EVERY = 29
Snapshot = tuple[object, ...]


def snapshot(network: Network) -> Snapshot:
    """Return all that a decision or a view could depend on."""
    return network.position, network.nodes, list(network.nodes.members), network.jobs


def base_of(records: tuple[Record, ...]) -> Base:
    """Return the base of what follows on these."""
    return Base(records[-1].position, encode_base(folded(records)))


def audited(audit: Audit, records: tuple[Record, ...]) -> Report:
    """Audit messages to their end."""
    for record in records:
        audit.take(record)
    return audit.finish()


def go_on(network: Network, records: tuple[Record, ...]) -> Network:
    """Fold more, as `folded` does."""
    for record in records:
        entry = network.fold(record)
        job = network.jobs.get(entry.address.job) if entry is not None else None
        if job is not None and job.closed:
            network.retire(job.id)
    return network


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fold_goes_on_from_it(seed: int) -> None:
    """Node by node and job by job the state at the end is that of the whole fold, in its order."""
    records = story(seed)
    whole = folded(records)
    for cut in range(EVERY, len(records), EVERY):
        network = go_on(begin(base_of(records[:cut])), records[cut:])
        network.nodes.fence = whole.nodes.fence
        assert snapshot(network) == snapshot(whole)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_base_on_a_base_is_the_base(seed: int) -> None:
    """A second archive makes of a base and what follows what one archive would have made."""
    records = story(seed)
    first, second = len(records) // 3, 2 * len(records) // 3
    network = go_on(begin(base_of(records[:first])), records[first:second])
    assert encode_base(network) == base_of(records[:second]).state


@pytest.mark.parametrize("seed", SEEDS)
def test_an_audit_of_the_rest_finds_what_that_of_the_whole_does(seed: int) -> None:
    """Wherever it was cut, of jobs that begin behind it the same is found, and nothing else."""
    records = story(seed)
    whole = audited(Audit(), records).findings
    for cut in range(EVERY, len(records), EVERY):
        base = begin(base_of(records[:cut]))
        begun = {record.subject.split(".")[3] for record in records[:cut]} - {NET}
        rest = audited(Audit(Scope(start=False), base.nodes), records[cut:]).findings
        behind = [found for found in whole if found.position > cut]
        assert set(rest) <= set(behind)
        expected = [found for found in behind if found.job not in begun]
        assert [found for found in rest if found.job not in begun] == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_an_audit_of_the_rest_proves_what_that_of_the_whole_does(seed: int) -> None:
    """Cut where no job is open, the proofs of the two parts are those of the whole."""
    records = story(seed)
    network, quiet = Network(), 0
    for record in records[: len(records) - 1]:
        go_on(network, (record,))
        quiet = quiet if network.jobs else record.position
    base = base_of(records[:quiet])
    before = audited(Audit(), records[:quiet])
    rest = audited(Audit(Scope(start=False), begin(base).nodes), records[quiet:])
    whole = audited(Audit(), records)
    assert Counter(before.proved) + Counter(rest.proved) == Counter(whole.proved)
    assert Counter(before.unprovable) + Counter(rest.unprovable) == Counter(whole.unprovable)


def test_equal_folds_are_equal_bytes() -> None:
    """However a set came to its members, the base has one name."""
    records = story(1)
    one, other = (folded(records[: len(records) // 2]) for _ in range(2))
    for network, shards in ((one, (0, 8)), (other, (8, 0))):
        for node in network.nodes.members.values():
            node.holds = set()
        for job in network.jobs.values():
            job.placing = set(shards)
    assert one.jobs
    assert [*next(iter(one.jobs.values())).placing] != [*next(iter(other.jobs.values())).placing]
    assert encode_base(one) == encode_base(other)


def test_the_fence_of_the_nodes_is_gone() -> None:
    """The last decision about nodes is in the archive, and the server says 0 of it."""
    network = folded(story(3))
    network.nodes.fence = network.position
    assert begin(Base(network.position, encode_base(network))).nodes.fence == 0


def test_a_newer_base_is_refused() -> None:
    """A base of a later version is an error that says which, not a wrong fold."""
    state = msgspec.json.decode(encode_base(Network()))
    with pytest.raises(ContentError, match="version 2"):
        begin(Base(1, msgspec.json.encode({**state, "version": 2})))


@pytest.mark.parametrize("state", [b"", b"{}", b'{"version":1,"nodes":[]}'])
def test_a_base_that_cannot_be_read_is_refused(state: bytes) -> None:
    """Other bytes are an error that names the archive files as the way out."""
    with pytest.raises(ContentError, match="cannot be read"):
        begin(Base(1, state))
