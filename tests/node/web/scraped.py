"""Scraping `/metrics` of an observer, as Prometheus does, for tests."""

from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette

from node.observer.observer import Observer
from node.web.exposition import PATH
from node.web.metrics import metrics_route
from node.web.process_metrics import ProcessMetrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Following(NamedTuple):
    """Those who follow events, in numbers."""

    clients: int = 3
    queued: int = 40
    dropped: int = 2


async def scrape(
    observer: Observer, process: ProcessMetrics | None = None, accept: str = ""
) -> httpx.Response:
    """Return the answer to one scrape."""
    app = Starlette(routes=[metrics_route(observer, process or ProcessMetrics())])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://lota") as client:
        answer = await client.get(PATH, headers={"accept": accept})
    answer.raise_for_status()
    return answer


def samples(text: str) -> Samples:
    """Return the values of a scrape in text form, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
