"""Values over time: the words of a chart here, its lines in the browser, which draws them quicker
than it reads them.

A page gives the values of all its charts as one document (`values_of`), where each stands under its
title. Lines differ by dashes as well as by colour.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from node import words
from node.web.views.html import Attribute, Data, Element, h
from node.web.views.parts import legend

ID = "charts"
ROUND = (1, 2, 4, 6, 8, 10)
DAY_S = 86_400

Values = Sequence[float | None]
Kind = Literal["count", "bytes", "duration"]
"""What the values are; the browser has the same words for them."""

WORDS: dict[Kind, Callable[[float | None], str]] = {
    "count": words.count,
    "bytes": words.size,
    "duration": words.duration,
}


class Series(msgspec.Struct, frozen=True):
    """One line; `total` is what its values add up to, where that says something."""

    name: str
    values: Values
    tone: int = 0
    total: float | None = None


class Chart(msgspec.Struct, frozen=True):
    """Lines over the same times, on top of each other when they are `stacked`.

    `per` is what a value is counted by.
    """

    title: str
    series: Sequence[Series]
    kind: Kind = "count"
    stacked: bool = False
    per: str = ""

    @property
    def top(self) -> float:
        """The upper end of the axis: the least round number above all values."""
        most = max(self._heights(), default=0.0)
        if most <= 0:
            return 1
        if self.kind == "bytes":
            return float(2 ** math.ceil(math.log2(most)))
        power: float = 10.0 ** math.floor(math.log10(most))
        return next(step * power for step in ROUND if step * power >= most)

    def _heights(self) -> list[float]:
        columns = [[value or 0 for value in one.values] for one in self.series]
        if self.stacked:
            return [sum(column) for column in zip(*columns, strict=True)]
        return [max(column, default=0) for column in columns]


def values_of(charts: Sequence[Chart], times: Sequence[str]) -> Data:
    """Return the document from which the browser draws the lines of a page's charts."""
    return Data(ID, {"times": times, "charts": {chart.title: _drawn(chart) for chart in charts}})


def sparkline(chart: Chart) -> Element:
    """Return a chart without words, for the side of a number."""
    return h("svg", {**_FIELD, "class": "spark", "aria-hidden": "true", "data-chart": chart.title})


def figure(chart: Chart, times: Sequence[str]) -> Element:
    """Return a chart with its words."""
    show = WORDS[chart.kind]
    top = chart.top
    title = h("h3", {}, chart.title)
    svg = h("svg", {**_FIELD, "role": "img", "tabindex": 0, "data-chart": chart.title})
    none = None
    if not any(value for one in chart.series for value in one.values):
        none = h("p", {"class": "none"}, "nothing in this range")
    steps = [h("span", {}, show(value)) for value in (top, top / 2, 0)]
    return h(
        "figure",
        {"class": "chart", "data-key": chart.title},
        h("figcaption", {}, title, h("span", {"class": "at"}, chart.per)),
        h(
            "div",
            {"class": "plot"},
            h("div", {"class": "y", "aria-hidden": "true"}, steps),
            h("div", {"class": "field"}, svg, none),
            h("div", {"class": "x", "aria-hidden": "true"}, _marks(times)),
        ),
        legend(
            (
                f"line s{one.tone}",
                [
                    f"{one.name} ",
                    h("b", {}, show(_latest(one.values))),
                    one.total is not None and h("small", {}, f" · {show(one.total)} in all"),
                ],
            )
            for one in chart.series
        ),
        h("details", {"data-kept": True}, h("summary", {}, "Data")),
    )


_FIELD: dict[str, Attribute] = {
    "viewBox": "0 0 4000 1000",
    "preserveAspectRatio": "none",
    "data-kept": True,
}


def _drawn(chart: Chart) -> dict[str, Any]:
    return {
        "top": chart.top,
        "words": chart.kind,
        "stacked": chart.stacked,
        "series": [
            {"name": one.name, "values": one.values, "tone": one.tone} for one in chart.series
        ],
    }


def _marks(times: Sequence[str]) -> list[Element]:
    """Return the first time, the one in the middle and the last."""
    if not times:
        return []
    first, last = (datetime.fromisoformat(times[at]) for at in (0, -1))
    span_s = (last - first).total_seconds()
    form = "day" if span_s > 4 * DAY_S else "hour" if span_s > DAY_S else "clock"
    shown = (times[0], times[(len(times) - 1) // 2], times[-1])
    return [h("time", {"datetime": time, "data-form": form}, time) for time in shown]


def _latest(values: Values) -> float | None:
    return next((value for value in reversed(values) if value is not None), None)
