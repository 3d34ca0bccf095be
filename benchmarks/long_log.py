"""A log of many events on a real server, with what makes a start long: old, many and large jobs.

All but a few events are of jobs that came and went. One job has been open since the beginning; near
the end one of many shards is half done, and a crowd waits for a node. No node of them is there, so
nothing goes on by itself.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice

from msgspec.structs import replace
from nats.aio.client import Client

from benchmarks.read_models import story
from events import codec
from events.codec import AnyEvent
from events.decisions import ShardsAwarded
from events.facts import ResultsProposed, ResultsProposedData
from events.ids import new_id
from events.jetstream.appender import CONTENT_TYPE, MESSAGE_ID
from events.jetstream.blocks import Outgoing
from events.jetstream.pipelined import PipelinedIngest
from events.subjects import Role, subject

OPEN = 200
"""Jobs whose events stand between each other's."""
CROWD = 10_000
"""Jobs that are open at the end, with their bids."""
CROWD_EVENTS = 4
LARGE_SHARDS = 100_000
ROUND = 1_000
"""Shards that one event of the large job names."""
PART = 2_000

Told = tuple[Role, AnyEvent]


def long_log(events: int, *, crowd: int = CROWD, large: int = LARGE_SHARDS) -> Iterator[Told]:
    """Yield so many events; the jobs that are open at the end are among the last of them."""
    rest = chain(_large(large), *(islice(story(1), CROWD_EVENTS) for _ in range(crowd)))
    last = list(rest)
    old = list(islice(story(1), CROWD_EVENTS))
    yield from old
    yield from islice(_small(), events - len(old) - len(last))
    yield from last


def _small() -> Iterator[Told]:
    """Yield the events of jobs that come and go, for ever; the last may stay open when it ends."""
    while True:
        for turn in zip(*(story(1) for _ in range(OPEN)), strict=True):
            yield from turn


def _large(shards: int) -> Iterator[Told]:
    """Yield the events of one job that is half done: all is awarded, half has its result."""
    if not shards:
        return
    told = [event for _, event in story(shards)]
    yield from zip("grcc", told[:4], strict=True)
    award, proposal = told[4:6]
    assert isinstance(award, ShardsAwarded)
    assert isinstance(proposal, ResultsProposed)
    for start in range(0, shards, ROUND):
        awards = replace(award.data, awards=award.data.awards[start : start + ROUND])
        yield "r", replace(award, id=new_id(), data=awards)
    for start in range(0, shards // 2, ROUND):
        proposals = proposal.data.proposals[start : start + ROUND]
        yield "c", replace(proposal, id=new_id(), data=ResultsProposedData(proposals=proposals))


async def store(client: Client, told: Iterable[Told]) -> int:
    """Store events on a server, in order, and return the position of the last."""
    ingest = PipelinedIngest(client)
    try:
        events = iter(told)
        while part := [_outgoing(role, event) for role, event in islice(events, PART)]:
            await ingest.send(part)
        return await ingest.finish()
    finally:
        await ingest.close()


def _outgoing(role: Role, event: AnyEvent) -> Outgoing:
    headers = {"Content-Type": CONTENT_TYPE, MESSAGE_ID: event.id}
    place = subject(event.subject, role, "n1", codec.kind(event))
    return Outgoing(place, codec.encode(event), headers)
