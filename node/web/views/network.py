"""The network over time: what came in, what was done with it, what failed, and how long each stage
takes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from node.web.api.statistics import get_statistics
from node.web.views.charts import Chart, Kind, Series, Values, figure, sparkline, values_of
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
    found = documents["statistics"]
    if found is None:
        return [top]
    numbers = _Numbers(found["series"], found["totals"], f"per {duration(found['step_s'] * 1000)}")
    tiles = _tiles(numbers, RANGES.get(_range(route), "all"))
    work = [numbers.counted(title, *counted) for title, counted in COUNTED.items()]
    load = _load(numbers)
    latency = [
        numbers.spread(name, f"latency.{stage}", "duration") for stage, name in STAGES.items()
    ]
    times = found["times"]

    def field(charts: Sequence[Chart]) -> Element:
        return h("div", {"class": "charts"}, [figure(chart, times) for chart in charts])

    return [
        values_of([*(tile.chart for tile in tiles), *work, *load, *latency], times),
        top,
        h("ul", {"class": "tiles"}, [_tile(tile) for tile in tiles]),
        section("Work", field(work)),
        section("Load and failures", field(load)),
        section("Latency by stage", _percentiles(found["percentiles"]), field(latency)),
    ]


PAGE = Page(reads, draw, pace_ms=1000)


class _Numbers(NamedTuple):
    """The statistics that are drawn: series and totals by name, and what is counted by."""

    series: Mapping[str, Values]
    totals: Mapping[str, int]
    per: str

    def lines(self, names: Mapping[str, str]) -> list[Series]:
        """Return the series of some names, each as a line of its own tone."""
        return [
            Series(name, self.series.get(key, ()), tone)
            for tone, (name, key) in enumerate(names.items())
        ]

    def counted(self, title: str, family: str, names: Sequence[str]) -> Chart:
        """Return a chart of how often something came to which end."""
        series = []
        for name in names:
            values = self.series.get(f"{family}.{name}", ())
            total = self.totals.get(f"{family}.{name}", 0)
            series.append(Series(name, values, TONES.get(name, 0), total))
        return Chart(title, series, per=self.per)

    def gauges(self, title: str, names: Mapping[str, str], kind: Kind = "count") -> Chart:
        """Return a chart of how things stood: the most in each point where that is known."""
        peaks = {
            name: f"{key}.max" if f"{key}.max" in self.series else key
            for name, key in names.items()
        }
        return Chart(title, self.lines(peaks), kind)

    def spread(self, title: str, family: str, kind: Kind) -> Chart:
        """Return a chart of percentiles."""
        return Chart(title, self.lines({name: f"{family}.{name}" for name in PERCENTILES}), kind)

    def failures(self) -> Chart:
        """Return a chart of what went wrong, by class."""
        names = [name for name in self.series if name.startswith(FAILURES)]
        names.sort(key=lambda name: -self.totals.get(name, 0))
        series = [
            Series(name.removeprefix(FAILURES), self.series[name], tone, self.totals.get(name, 0))
            for tone, name in enumerate(names[:CLASSES_MAX])
        ]
        return Chart("Failures by class", series, stacked=True, per=self.per)


class _Tile(NamedTuple):
    """A number with its sparkline."""

    number: float | None
    chart: Chart


def _range(route: Route) -> str:
    return route.query.get("range", RANGE)


def _tiles(numbers: _Numbers, range_name: str) -> list[_Tile]:
    tiles = []
    for title, key in TILES.items():
        chart = Chart(title, numbers.lines({title: key}), stacked=True)
        values = chart.series[0].values
        tiles.append(_Tile(values[-1] if values else None, chart))
    title = f"Events in {range_name}"
    chart = Chart(title, numbers.lines({title: "events"}), stacked=True)
    return [*tiles, _Tile(numbers.totals.get("events", 0), chart)]


def _tile(tile: _Tile) -> Element:
    title = tile.chart.title
    return h("li", {}, h("span", {}, title), h("b", {}, count(tile.number)), sparkline(tile.chart))


def _load(numbers: _Numbers) -> list[Chart]:
    memory = {"declared": "declared.memory_bytes", "used": "used.memory_bytes"}
    return [
        numbers.failures(),
        numbers.gauges("Queue", {"shards waiting": "queue", "executions in hand": "running"}),
        numbers.gauges("Processors", {"declared": "declared.cpu", "used": "used.cpu"}),
        numbers.gauges("Memory", memory, "bytes"),
        numbers.spread("Messages per job", "messages_per_job", "count"),
        numbers.spread("Bytes per job", "bytes_per_job", "bytes"),
    ]


def _percentiles(given: Mapping[str, Any]) -> Element:
    rows = []
    for stage, name in STAGES.items():
        found = given.get(f"latency.{stage}", {})
        shares = (duration(found.get(share)) for share in PERCENTILES)
        rows.append(Row((name, *shares, count(found.get("count", 0))), key=stage))
    headings = ("Stage", "#p50", "#p90", "#p99", "#Measured")
    return table("Percentiles of the whole range", headings, rows)
