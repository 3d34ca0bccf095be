"""`/metrics`: the network's log and this process, for Prometheus and whatever reads its formats.

A scrape reads one row and what is folded already; it folds nothing.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.observer.observer import Observer
from node.web import metric_families
from node.web.exposition import PATH, exposition
from node.web.process_metrics import ProcessMetrics
from projections.statistics.bucket import Bucket


def metrics_route(observer: Observer, process: ProcessMetrics) -> Route:
    """Return the route at which the metrics are served."""

    async def metrics(request: Request) -> Response:
        ever = await observer.statistics.whole() if observer.ready.is_set() else None
        return await exposition(request, [*_families(observer, process, ever)])

    return Route(PATH, metrics)


def _families(observer: Observer, process: ProcessMetrics, ever: Bucket | None) -> Iterator[Metric]:
    """Yield what there is to tell now. Until the log is folded, that is the process and the lag."""
    yield from process.collect()
    last = observer.position + observer.lag
    positions = {"fold": observer.position, **observer.store.positions}
    yield from metric_families.of_projections(positions, last)
    yield GaugeMetricFamily(
        "lota_ready",
        "Whether the log has been read and is followed, so that all metrics are there and true.",
        int(ever is not None and not observer.failed.done() and not observer.away),
    )
    if ever is None:
        return
    yield GaugeMetricFamily(
        "lota_last_event_timestamp_seconds",
        "When the newest event says that it happened.",
        observer.time_ms / 1_000,
    )
    yield from metric_families.counted(ever)
    network = observer.network
    yield from metric_families.standing(network, ever.gauges, observer.time_ms)
    yield from metric_families.of_nodes(network, observer.track_records.of)
