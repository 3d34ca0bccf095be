"""What this process can tell of itself: how late its event loop is, its connection, its readers."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Protocol

from nats.aio.client import Client
from prometheus_client import Histogram, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)

TICK_S = 0.25
LAG_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Readers(Protocol):
    """Who reads events as they come: how many, what waits for them, and how many were too slow."""

    @property
    def clients(self) -> int: ...
    @property
    def queued(self) -> int: ...
    @property
    def dropped(self) -> int: ...


class ProcessMetrics:
    """Made anew by each process; `measuring` keeps it.

    `client` is the connection to NATS, None where there is none. `readers` are those of the API, by
    the name of what they read.
    """

    def __init__(
        self, client: Client | None = None, readers: Mapping[str, Readers] | None = None
    ) -> None:
        self._client = client
        self._readers = readers or {}
        self._process = ProcessCollector(registry=None)
        self._lag = Histogram(
            "lota_event_loop_lag_seconds",
            "How late the event loop came to what was due.",
            buckets=LAG_BOUNDS_S,
            registry=None,
        )

    @asynccontextmanager
    async def measuring(self) -> AsyncIterator[None]:
        """Measure the event loop for the time of a block."""
        ticking = asyncio.ensure_future(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            await asyncio.gather(ticking, return_exceptions=True)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + TICK_S
            await asyncio.sleep(TICK_S)
            self._lag.observe(max(0.0, loop.time() - due))

    def collect(self) -> Iterator[Metric]:
        """Yield all of them as they are now."""
        yield InfoMetricFamily("lota_build", "Which version runs.", {"version": version("lota")})
        yield from self._process.collect()
        yield from self._lag.collect()
        if self._client is not None:
            yield GaugeMetricFamily(
                "lota_nats_connected",
                "Whether there is a connection to the NATS server.",
                int(self._client.is_connected),
            )
            yield GaugeMetricFamily(
                "lota_nats_unsent_bytes",
                "What waits to be sent to the NATS server.",
                self._client.pending_data_size,
            )
            yield CounterMetricFamily(
                "lota_nats_reconnects",
                "How often the connection to the NATS server came back.",
                self._client.stats["reconnects"],
            )
        clients = GaugeMetricFamily(
            "lota_sse_clients", "Clients that follow events.", labels=["stream"]
        )
        queued = GaugeMetricFamily(
            "lota_sse_queued_events", "What clients have yet to be sent.", labels=["stream"]
        )
        dropped = CounterMetricFamily(
            "lota_sse_dropped_clients", "Clients that were too slow.", labels=["stream"]
        )
        for stream, readers in self._readers.items():
            clients.add_metric([stream], readers.clients)
            queued.add_metric([stream], readers.queued)
            dropped.add_metric([stream], readers.dropped)
        yield from (clients, queued, dropped)
