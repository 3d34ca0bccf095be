"""`/metrics` over an observer of a real network's log."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from events.connection import connect
from events.errors import NotAdmitted
from events.log import EVERYTHING, Record
from events.memory import MemoryLog
from events.subjects import NET
from node.observer.observer import Observer
from node.web.process_metrics import ProcessMetrics
from projections.network import Network
from tests.node.observer.watched import no_times, observing
from tests.node.web.scraped import Following, Samples, samples, scrape
from tests.projections.story import extend, log_of, story

SEED = 1055
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


async def counters(observer: Observer) -> Samples:
    """Return the counters of the log, but for those of the process."""
    await observer.jobs(past=await observer.at(None))  # what is folded is written
    found = samples((await scrape(observer)).text)
    return {
        key: value
        for key, value in found.items()
        if key[0].startswith("lota_")
        and key[0].endswith(("_total", "_bucket", "_count", "_sum"))
        and "sse" not in key[0]
        and "loop" not in key[0]
    }


def by_label(found: Samples, name: str, label: str) -> dict[str, float]:
    """Return the values of a metric by one of its labels."""
    return {dict(labels)[label]: value for (of, labels), value in found.items() if of == name}


async def test_a_scrape_counts_what_the_log_has(tmp_path: Path) -> None:
    """Events by type, and jobs and shards by how they ended, are those of the whole log."""
    async with observing(log_of(story(SEED)), tmp_path / "o") as observer:
        found = await counters(observer)
        quiet = samples((await scrape(observer)).text)
    network = Network()
    entries = [entry for record in story(SEED) if (entry := network.fold(record)) is not None]
    jobs = network.jobs.values()
    assert by_label(found, "lota_events_total", "type") == Counter(
        entry.address.kind for entry in entries
    )
    ended = Counter[str](job.state for job in jobs) | Counter(submitted=len(jobs))
    assert {k: v for k, v in by_label(found, "lota_jobs_total", "event").items() if v} == ended
    assert found["lota_messages_per_job_count", ()] == len(jobs)
    assert found["lota_log_bytes_total", ()] == sum(len(record.body) for record in story(SEED))
    assert quiet["lota_queue_shards", ()] == 0
    assert quiet["lota_ready", ()] == 1


async def test_no_job_is_named(tmp_path: Path) -> None:
    """Labels are of types, states and nodes: a scrape is as long after many jobs as after few."""
    async with observing(log_of(story(SEED)), tmp_path / "o") as observer:
        await counters(observer)
        text = (await scrape(observer)).text
    jobs = {entry_job(record) for record in story(SEED)} - {NET}
    assert len(jobs) > 5
    values = {value for _, labels in samples(text) for _, value in labels}
    assert not values & jobs


def entry_job(record: Record) -> str:
    return record.subject.split(".")[3]


async def test_openmetrics_is_given_to_who_asks(tmp_path: Path) -> None:
    """Prometheus gets OpenMetrics, strictly parsed; others get the text form, of equal values."""
    async with observing(log_of(story(SEED)), tmp_path / "o") as observer:
        await counters(observer)
        plain = await scrape(observer)
        asked = await scrape(observer, accept=OPENMETRICS)
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert asked.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = list(text_string_to_metric_families(asked.text))  # type: ignore[no-untyped-call]
    names = [family.name for family in families]
    assert len(set(names)) == len(names)
    both = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if family.name.startswith("lota_") and family.name != "lota_event_loop_lag_seconds"
    }
    assert both.items() <= samples(plain.text).items()


async def test_counters_go_on_after_a_restart(tmp_path: Path) -> None:
    """A process that begins again tells what one that never stopped would, and never less."""
    records = story(SEED)
    half = len(records) // 2
    log = log_of(records[:half])
    async with observing(log, tmp_path / "o") as observer:
        before = await counters(observer)
    extend(log, records[half:])
    async with observing(log, tmp_path / "o") as observer:
        after = await counters(observer)
    async with observing(log_of(records), tmp_path / "new") as observer:
        anew = await counters(observer)
    assert sum(before.values()) > 0
    shared = before.keys() & after.keys()
    assert all(before[key] <= after[key] for key in shared if "node" not in key[0])
    assert after == anew


class Broken(MemoryLog):
    """A log that cannot be followed."""

    async def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        async for batch in super().read(filters, after=after):
            yield batch
        raise NotAdmitted("the server is gone")


async def test_an_observer_that_has_failed_is_not_ready(tmp_path: Path) -> None:
    """What follows the log no more says so, and still tells what it has counted."""
    log = Broken()
    extend(log, story(SEED)[:100])
    (tmp_path / "o").mkdir()
    async with Observer.open(log, tmp_path / "o", no_times) as observer:
        await asyncio.wait((observer.failed,))
        found = samples((await scrape(observer)).text)
    assert isinstance(observer.failed.exception(), NotAdmitted)
    assert found["lota_ready", ()] == 0


class Unread(MemoryLog):
    """A log that nothing comes from."""

    async def last(self, filter: str = EVERYTHING) -> int:
        return 500

    async def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        await asyncio.Event().wait()
        yield []


async def test_while_the_log_is_read_its_metrics_are_left_out(tmp_path: Path) -> None:
    """Before it has caught up, a process tells of itself and its lag, and no counter too low."""
    (tmp_path / "o").mkdir()
    async with Observer.open(Unread(), tmp_path / "o", no_times) as observer:
        found = samples((await scrape(observer)).text)
    assert found["lota_ready", ()] == 0
    assert found["lota_projection_lag_events", (("projection", "fold"),)] == 500
    assert "process_resident_memory_bytes" in {name for name, _ in found}
    assert not any(name == "lota_events_total" for name, _ in found)


async def test_the_process_tells_of_its_connection_and_readers(
    tmp_path: Path, nats_url: str
) -> None:
    """Whether NATS is connected and how often it came back, and who follows, are gauges."""
    client = await connect(nats_url, name="metrics")
    process = ProcessMetrics(client, {"events": Following()})
    async with observing(MemoryLog(), tmp_path / "o") as observer:
        here = samples((await scrape(observer, process)).text)
        await client.close()
        gone = samples((await scrape(observer, process)).text)
    assert (here["lota_nats_connected", ()], gone["lota_nats_connected", ()]) == (1, 0)
    assert (here["lota_nats_reconnects_total", ()], here["lota_nats_unsent_bytes", ()]) == (0, 0)
    stream = (("stream", "events"),)
    assert here["lota_sse_clients", stream] == 3
    assert here["lota_sse_queued_events", stream] == 40
    assert here["lota_sse_dropped_clients_total", stream] == 2


async def test_a_blocked_event_loop_is_seen() -> None:
    """When something holds the loop for half a second, a tick is that late."""
    process = ProcessMetrics()

    def ticks() -> dict[str, float]:
        families = {family.name: family for family in process.collect()}
        lag = families["lota_event_loop_lag_seconds"].samples
        return {s.labels["le"]: s.value for s in lag if s.name.endswith("_bucket")}

    loop = asyncio.get_running_loop()
    async with process.measuring():
        await asyncio.to_thread(ticks)  # the first tick is begun
        held_until = loop.time() + 0.5
        while loop.time() < held_until:
            pass
        while not ticks()["+Inf"]:
            await asyncio.to_thread(ticks)
    assert ticks()["0.1"] == 0
