"""`/metrics` of a node that serves its results: what it can tell of itself, and of nobody else.

That it lives and what it has done stands in the log, of which `lota ui` has the metrics. What
nobody else sees is how it fares: its event loop, its connection, what waits for a core.
"""

from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.compute.work import InHand
from node.web.exposition import PATH, exposition
from node.web.process_metrics import ProcessMetrics


class NodeMetrics:
    """Of the process, and once the node is at work of what it has in hand, by `in_hand`."""

    def __init__(self, process: ProcessMetrics) -> None:
        self.process = process
        self.in_hand: Callable[[], InHand] | None = None

    def route(self) -> Route:
        """Return the route at which they are served."""

        async def metrics(request: Request) -> Response:
            return await exposition(request, [*self._families()])

        return Route(PATH, metrics)

    def _families(self) -> Iterator[Metric]:
        yield from self.process.collect()
        if self.in_hand is not None:
            executions = GaugeMetricFamily(
                "lota_executions_in_hand",
                "Executions that this node was given and has not ended.",
                labels=["state"],
            )
            for state, count in self.in_hand()._asdict().items():
                executions.add_metric([state], count)
            yield executions
