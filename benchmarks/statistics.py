"""What the statistics cost: each event beside the fold alone, a question over 90 days, the rows.

The rows are those of a network that was busy for years: every bucket of every level is there, with
all counts, twenty classes of failures, and histograms that are as wide as a thousand jobs make
them.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

from benchmarks.figures import Figure, Limit, Peer
from benchmarks.read_models import MANY_SHARDS, ONE_SHARD, SHARDS, batches, fold_s
from events.log import Record
from events.marks import Mark
from node.observer.statistics import StatisticsReader
from projections.network import Network
from projections.read_model import versions_with
from projections.statistics import histogram, names
from projections.statistics.bucket import Bucket, encode
from projections.statistics.levels import DAY_S, HOUR_S, LEVELS, MINUTE_S, Level, key
from projections.statistics.model import NAME, Statistics
from projections.store import Checkpoint, Store

ROUNDS = 7
NOW_S = 1_795_000_000
YEAR_S = 365 * DAY_S
CLASSES = 20
JOBS_PER_MINUTE = 20
JOBS_MAX = 1_000
"""Values in one histogram: beyond it no new bins come."""
KINDS = 16
"""Different buckets of a level, of which its rows are copies."""
EVENTS = ("job.submitted", "job.planned", "bids.placed", "shards.awarded", "results.proposed")


def counted_s(records: list[list[Record]]) -> float:
    """Return the processor's seconds for the fold and the counting."""
    network = Network()
    model = Statistics()
    model.begin(network)
    began = time.process_time()
    for batch in records:
        for record in batch:
            entry = network.fold(record)
            model.note(record, entry, network, stored=False)
            job = network.jobs.get(entry.address.job) if entry is not None else None
            if job is not None and job.closed:
                network.retire(job.id)
        model.take()
    return time.process_time() - began


def bucket(chance: Random, level: Level) -> Bucket:
    """Return what a busy network does in one bucket of a level."""
    jobs = max(1, min(JOBS_PER_MINUTE * level.width_s // MINUTE_S, 1 << 20))
    counts = {name: chance.randint(1, 9 * jobs) for name in names.COUNTS}
    counts |= {f"{names.EVENT}{kind}": chance.randint(1, 2 * jobs) for kind in EVENTS}
    for number in range(min(CLASSES, jobs)):
        counts[f"{names.FAILURE}execution.class-{number}"] = chance.randint(1, jobs)
    made = Bucket(counts)
    for name in names.HISTOGRAMS:
        spread = 0.3 if name in (names.MESSAGES, names.JOB_BYTES) else 1.0
        values = (round(chance.lognormvariate(7, spread)) for _ in range(min(jobs, JOBS_MAX)))
        made.histograms[name] = histogram.binned(values)
    made.gauges = {name: chance.randint(0, 1 << 20) for name in names.GAUGES}
    made.peaks = {name: chance.randint(0, 1 << 20) for name in names.PEAKS}
    return made


def rows(span_s: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield every row that there is after so long."""
    chance = Random(1)
    for level in LEVELS:
        bodies = [encode(bucket(chance, level)) for _ in range(KINDS)]
        first = max(level.oldest(NOW_S), level.start(NOW_S - span_s))
        for start in range(first, level.start(NOW_S) + 1, level.width_s):
            yield NAME, key(level, start), bodies[start // level.width_s % KINDS]


async def _read() -> None:
    """Stand for a statistics reader's wish that all is written."""


async def query_ms(reader: StatisticsReader, span_s: int) -> tuple[float, float]:
    """Return how long a question takes, and the longest that it holds up the loop."""
    longest = 0.0
    loop = asyncio.get_running_loop()
    done = False
    last = loop.time()

    def turn() -> None:
        nonlocal longest, last
        now = loop.time()
        longest, last = max(longest, now - last), now
        if not done:
            loop.call_soon(turn)

    turn()
    began = time.perf_counter()
    await reader.series((NOW_S - span_s) * 1000, NOW_S * 1000)
    took = time.perf_counter() - began
    done = True
    return took * 1000, longest * 1000


async def measure() -> AsyncIterator[Figure]:
    """Yield the cost of an event, of a question and of a year."""
    for what, jobs, shards in (
        ("jobs of one shard", ONE_SHARD, 1),
        (f"jobs of {SHARDS:,} shards", MANY_SHARDS, SHARDS),
    ):
        records = batches(jobs, shards)
        events = sum(map(len, records))
        rounds = [(fold_s(records), counted_s(records)) for _ in range(ROUNDS)]
        yield Figure(
            what=f"fold and statistics, {what}",
            value=statistics.median(both for _, both in rounds) / events * 1e6,
            unit="µs/event",
            peer=Peer(
                name="fold alone",
                value=statistics.median(alone for alone, _ in rounds) / events * 1e6,
                ratio=statistics.median(both / alone for alone, both in rounds),
                limit=Limit(1.3, at_most=True),
            ),
        )
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "projections.db"
        store = await Store.open(path, versions_with([Statistics()]))
        mark = Mark(1, "benchmark")
        made = list(rows(YEAR_S))
        await store.commit(made, Checkpoint(mark, mark))
        reader = StatisticsReader(store, lambda: NOW_S * 1000, _read)
        for what, span_s, limit in (
            ("an hour", HOUR_S, None),
            ("7 days", 7 * DAY_S, None),
            ("90 days", 90 * DAY_S, Limit(100.0, at_most=True)),
        ):
            rounds = [await query_ms(reader, span_s) for _ in range(ROUNDS)]
            yield Figure(
                what=f"statistics of {what}",
                value=statistics.median(took for took, _ in rounds),
                unit="ms",
                limit=limit,
            )
            yield Figure(
                what=f"longest turn of the loop in it, {what}",
                value=statistics.median(longest for _, longest in rounds),
                unit="ms",
            )
        await store.close()
        yield Figure(what="rows of a busy year", value=len(made), unit="rows")
        yield Figure(what="file of a busy year", value=path.stat().st_size / (1 << 20), unit="MiB")
