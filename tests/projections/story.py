"""Logs to fold: what a whole simulated network wrote under one seed, faults and all."""

from functools import cache

from events.log import Record
from events.memory import MemoryLog
from events.subjects import NET
from projections.network import Network
from tests.simulation.world import Plan, World


@cache
def story(seed: int, jobs: int = 8) -> tuple[Record, ...]:
    """Return the messages of a simulated network, from its first node's joining to its last job."""
    world = World(Plan(seed=seed, jobs=jobs))
    world.run()
    return tuple(world.wire.log.records(limit=1 << 20))


def last_job(records: tuple[Record, ...]) -> str:
    """Return the id of the job that was written about last."""
    names = (record.subject.split(".")[3] for record in reversed(records))
    return next(name for name in names if name != NET)


def log_of(records: tuple[Record, ...]) -> MemoryLog:
    """Return a log that holds these messages and no others."""
    log = MemoryLog()
    extend(log, records)
    return log


def extend(log: MemoryLog, records: tuple[Record, ...]) -> None:
    """Append messages to a log, at the positions that they have."""
    for record in records:
        assert log.append_now(record.subject, record.body, id=f"{record.position}") == (
            record.position
        )


def folded(records: tuple[Record, ...]) -> Network:
    """Fold all messages and let closed jobs go at once."""
    network = Network()
    for record in records:
        entry = network.fold(record)
        if entry is not None:
            job = network.jobs.get(entry.address.job)
            if job is not None and job.closed:
                network.retire(job.id)
    return network
