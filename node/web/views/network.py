"""The network over time: what came in, what was done with it, what failed, and how long each stage
takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from node.web.api.statistics import get_statistics
from node.web.views.charts import Chart, Kind, Series, Values, figure, picture, sparkline, values_of
from node.web.views.html import Child, Element, h
from node.web.views.page import Ask, Documents, Page
from node.web.views.parts import Choice, Row, choice, head, section, table
from node.web.views.route import Route
from node.words import count, duration

RANGES = {
    "1m": "1 minute",
    "10m": "10 minutes",
    "1h": "1 hour",
    "6h": "6 hours",
    "1d": "1 day",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}
RANGE = "10m"
POINTS = 300
STAGES = {
    "total": "From submission to end",
    "queue": "Queue: until an offer",
    "bid": "Bid: until a node has it",
    "run": "Run: until its result",
    "verify": "Verify: until the verdict",
    "publish": "Publish: until the copies",
}
PERCENTILES = ("p50", "p90", "p99")
COUNTED = {
    "Jobs": ("jobs", ("submitted", "completed", "failed", "cancelled")),
    "Shards": ("shards", ("planned", "completed", "failed", "cancelled")),
    "Bids": ("bids", ("placed", "declined")),
    "Executions": (
        "executions",
        ("awarded", "accepted", "rejected", "failed", "lost", "cancelled"),
    ),
    "Verdicts": ("verdicts", ("accepted", "failed", "unverified")),
    "Publications": ("publications", ("published", "failed")),
}
TONES = {
    "completed": 1,
    "accepted": 1,
    "published": 1,
    "failed": 2,
    "cancelled": 3,
    "lost": 4,
    "declined": 4,
    "unverified": 4,
    "rejected": 5,
}
CLASSES_MAX = 6
FAILURES = "failures."
TILES = {
    "Open jobs": "open_jobs",
    "In nodes' hands": "running",
    "Waiting for a node": "queue",
    "Nodes live": "nodes",
}


def reads(route: Route) -> dict[str, Ask]:
    """Return the statistics of the range that was chosen."""
    points = route.query.get("points", POINTS)
    return {"statistics": Ask(get_statistics, query={"since": _range(route), "points": points})}


def draw(documents: Documents, route: Route) -> list[Child]:
    """Return the page."""
    ranges = (
        Choice(since, route.href(range=since), since == _range(route), name)
        for since, name in RANGES.items()
    )
    top = head("Network", choice("Range", ranges))
    if documents["statistics"] is None:
        return [top]
    drawing = _Drawing(documents["statistics"])
    tiles = [
        *(drawing.tile(name, drawing.values(key)) for name, key in TILES.items()),
        drawing.tile(
            f"Events in {RANGES.get(_range(route), 'all')}",
            drawing.values("events"),
            drawing.total("events"),
        ),
    ]
    sections = [
        h("ul", {"class": "tiles"}, tiles),
        section("Work", _field(drawing.counted(*COUNTED[title], title) for title in COUNTED)),
        section("Load and failures", _field(_load(drawing))),
        section(
            "Latency by stage",
            _percentiles(drawing.given["percentiles"]),
            _field(
                drawing.spread(name, f"latency.{stage}", "duration")
                for stage, name in STAGES.items()
            ),
        ),
    ]
    return [values_of(drawing.charts), top, *sections]


PAGE = Page(reads, draw, pace_ms=1000, ticks=lambda _: True)


class _Drawing:
    """The statistics that are drawn, and the charts of them so far."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.charts: list[Chart] = []
        self._times: Sequence[str] = given["times"]
        self._none: Values = [None] * len(self._times)
        self._per = f"per {duration(given['step_s'] * 1000)}"

    def values(self, name: str) -> Values:
        found: Values = self.given["series"].get(name, self._none)
        return found

    def total(self, name: str) -> int:
        found: int = self.given["totals"].get(name, 0)
        return found

    def tile(self, name: str, values: Values, number: float | None = None) -> Element:
        """Return a number with a sparkline: the newest value, or another one."""
        if number is None and values:
            number = values[-1]
        self.charts.append(sparkline(values))
        spark = picture(len(self.charts) - 1)
        return h("li", {}, h("span", {}, name), h("b", {}, count(number)), spark)

    def counted(self, family: str, names: Sequence[str], title: str) -> Element:
        """Return a chart of how often something came to which end."""
        series = [
            Series(
                name,
                self.values(f"{family}.{name}"),
                TONES.get(name, 0),
                self.total(f"{family}.{name}"),
            )
            for name in names
        ]
        return self._figure(Chart(title, self._times, series, per=self._per))

    def gauges(self, title: str, pairs: Mapping[str, str], kind: Kind = "count") -> Element:
        """Return a chart of how things stood: the most in each point where that is known."""
        series = [
            Series(name, self.given["series"].get(f"{key}.max") or self.values(key), tone)
            for tone, (name, key) in enumerate(pairs.items())
        ]
        return self._figure(Chart(title, self._times, series, kind))

    def spread(self, title: str, family: str, kind: Kind) -> Element:
        """Return a chart of percentiles."""
        series = [
            Series(name, self.values(f"{family}.{name}"), tone)
            for tone, name in enumerate(PERCENTILES)
        ]
        return self._figure(Chart(title, self._times, series, kind))

    def failures(self) -> Element:
        """Return a chart of what went wrong, by class."""
        names = [name for name in self.given["series"] if name.startswith(FAILURES)]
        names.sort(key=lambda name: -self.total(name))
        series = [
            Series(name.removeprefix(FAILURES), self.values(name), tone, self.total(name))
            for tone, name in enumerate(names[:CLASSES_MAX])
        ]
        chart = Chart("Failures by class", self._times, series, stacked=True, per=self._per)
        return self._figure(chart)

    def _figure(self, chart: Chart) -> Element:
        self.charts.append(chart)
        return figure(chart, len(self.charts) - 1)


def _range(route: Route) -> str:
    return route.query.get("range", RANGE)


def _field(charts: Child) -> Element:
    return h("div", {"class": "charts"}, charts)


def _load(drawing: _Drawing) -> list[Element]:
    return [
        drawing.failures(),
        drawing.gauges("Queue", {"shards waiting": "queue", "executions in hand": "running"}),
        drawing.gauges("Processors", {"declared": "declared.cpu", "used": "used.cpu"}),
        drawing.gauges(
            "Memory",
            {"declared": "declared.memory_bytes", "used": "used.memory_bytes"},
            "bytes",
        ),
        drawing.spread("Messages per job", "messages_per_job", "count"),
        drawing.spread("Bytes per job", "bytes_per_job", "bytes"),
    ]


def _percentiles(given: Mapping[str, Any]) -> Element:
    rows = []
    for stage, name in STAGES.items():
        found = given.get(f"latency.{stage}", {})
        shares = (duration(found.get(share)) for share in PERCENTILES)
        rows.append(Row((name, *shares, count(found.get("count", 0))), key=stage))
    headings = ("Stage", "#p50", "#p90", "#p99", "#Measured")
    return table("Percentiles of the whole range", headings, rows)
