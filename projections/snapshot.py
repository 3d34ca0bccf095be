"""The whole fold at one position as bytes, in small parts, and the fold made of them again.

A start from a snapshot folds what came after it by the same `evolve`, and holds then what a start
from nothing holds. Closed jobs are not in it: they have left the fold, and are rows.

The parts are JSON: it takes any number that an event may have brought, also one of 70 bits.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from events.codec import Codec
from events.marks import Mark
from projections.network import RETIRED_MAX, Network
from projections.nodes import Nodes
from projections.state import Job, Shard, Skipped

VERSION = 3
"""Of what is folded and of how it is written: a snapshot of another version is not used. Raise it
when `evolve` makes something else of an event than before, or a field is renamed or removed."""

SHARDS_PER_PART = 1_000
"""Some milliseconds of work: a job of 100,000 shards must not hold up whatever else is going on."""

HEAD = ""
"""Stands in place of a job's id for the parts that are of no job: the head, and what is beside."""


class Part(NamedTuple):
    """A piece of a snapshot: of which job, and its number among the job's parts."""

    job: str
    number: int
    body: bytes


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a snapshot holds besides the open jobs. It was taken when `mark` had been folded."""

    version: int
    mark: Mark
    jobs: int
    nodes: Nodes
    late: int
    foreign: int
    foreign_kept: list[str]
    newer: dict[str, Skipped]
    retired: list[str]
    strays: list[tuple[str, int]]


class _Version(msgspec.Struct, frozen=True):
    version: int


_encode = msgspec.json.Encoder().encode
_job = msgspec.json.Decoder(Job).decode
_shards = msgspec.json.Decoder(list[Shard]).decode


def head(network: Network, mark: Mark, retired: list[str]) -> Part:
    """Return the part that is of no job, as if the closed jobs had been let go already.

    `retired` are the jobs that were let go so far, and these, in order.
    """
    closed = sum(1 for job in network.jobs.values() if job.closed)
    made = Head(
        version=VERSION,
        mark=mark,
        jobs=len(network.jobs) - closed,
        nodes=network.nodes,
        late=network.late,
        foreign=network.foreign,
        foreign_kept=network.foreign_kept,
        newer=network.newer,
        retired=retired[-RETIRED_MAX:],
        strays=list(network.strays.items()),
    )
    return Part(HEAD, 0, _encode(made))


def beside(states: Mapping[str, bytes]) -> Part:
    """Return the part that holds the states of read models, which are JSON, by their names."""
    return Part(HEAD, 1, _encode({name: msgspec.Raw(state) for name, state in states.items()}))


def read_beside(part: Part) -> dict[str, bytes]:
    """Return the states of read models, by name. Raises MsgspecError for what holds none."""
    found = msgspec.json.decode(part.body, type=dict[str, msgspec.Raw])
    return {name: bytes(state) for name, state in found.items()}


def parts(job: Job) -> Iterator[Part]:
    """Yield the parts of a job: first the job without its shards, then these some at a time."""
    yield Part(job.id, 0, _encode(msgspec.structs.replace(job, shards=[])))
    for start in range(0, len(job.shards), SHARDS_PER_PART):
        part = job.shards[start : start + SHARDS_PER_PART]
        yield Part(job.id, 1 + start // SHARDS_PER_PART, _encode(part))


def read_head(body: bytes) -> Head | None:
    """Return the head of a snapshot, None when it is of another version."""
    if msgspec.json.decode(body, type=_Version).version != VERSION:
        return None
    return msgspec.json.decode(body, type=Head)


class Restored:
    """A fold that is being made of its parts again, which come in any order of jobs."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._jobs: dict[str, Job] = {}

    def take(self, part: Part) -> None:
        """Add the next part; those of one job come in their order."""
        if part.number == 0:
            self._jobs[part.job] = _job(part.body)
        else:
            self._jobs[part.job].shards += _shards(part.body)

    def network(self, codec: Codec) -> Network:
        """Return the fold, which goes on with `codec`. Raises ValueError when parts are missing.

        What is held is to be told again.
        """
        head = self._head
        if len(self._jobs) != head.jobs:
            raise ValueError(f"a snapshot of {head.jobs} jobs has {len(self._jobs)}")
        network = Network(codec)
        network.position = head.mark.position
        network.nodes = head.nodes
        network.late = head.late
        network.foreign = head.foreign
        network.foreign_kept = head.foreign_kept
        network.newer = head.newer
        network.retired = OrderedDict.fromkeys(head.retired)
        network.strays = OrderedDict(head.strays)
        network.jobs = {job.id: job for job in _as_submitted(self._jobs.values())}
        network.tell_held()
        return network


def _as_submitted(jobs: Iterable[Job]) -> list[Job]:
    return sorted(jobs, key=lambda job: job.first)
