"""Logs for the examples to read."""

import asyncio
from collections.abc import Iterable

from events.codec import KINDS, decode
from events.entry import read_entry
from events.errors import EventError
from events.ids import new_id
from events.log import Log, Record
from events.subjects import subject
from tests.events.documents import GOLDEN
from tests.simulation.world import Plan, World


def golden_records() -> list[Record]:
    """Return every golden event under a subject that a consumer of everything reads."""
    records: list[Record] = []
    for path in sorted(GOLDEN.iterdir()):
        body = path.read_bytes()
        kind = KINDS[type(decode(body))]
        records.append(Record(len(records) + 1, subject("golden", "c", "node-1", kind), body))
    return records


def simulated_records(seed: int = 3) -> list[Record]:
    """Return the log of a network with crashes, liars and lost messages, without intruders."""
    world = World(Plan(seed=seed, jobs=6))
    world.run()
    records = []
    for record in world.wire.log._records:
        try:
            read_entry(record)
        except EventError:
            continue
        records.append(record)
    return records


async def store(log: Log, records: Iterable[Record]) -> None:
    """Append the records in their order."""
    appends = [log.append(record.subject, record.body, id=new_id()) for record in records]
    await asyncio.gather(*appends)
