"""Charts: what they say besides their lines."""

import json
import re

import pytest

from node.web.views.charts import Chart, Kind, Series, figure, values_of
from node.web.views.html import render

TIMES = ["2026-11-30T01:00:00Z", "2026-11-30T01:00:01Z", "2026-11-30T01:00:02Z"]


@pytest.mark.parametrize(
    ("values", "kind", "top"),
    [
        ([None, 0], "count", 1),
        ([3, 41], "count", 60),
        ([100], "count", 100),
        ([0.3], "duration", 0.4),
        ([5 << 30], "bytes", 8 << 30),
    ],
)
def test_an_axis_ends_at_a_round_number(values: list[float | None], kind: Kind, top: float) -> None:
    """The least round number above all values; of bytes, a power of two."""
    assert Chart("t", [Series("a", values)], kind).top == pytest.approx(top)


def test_lines_on_top_of_each_other_fit_below_the_top() -> None:
    """Of stacked lines the axis ends above their sum."""
    lines = [Series("a", [3, None]), Series("b", [4, 5])]
    assert Chart("t", lines, stacked=True).top == 8


def test_the_legend_has_the_newest_known_value_and_the_total() -> None:
    """What is not known at the end is told as of when it was."""
    chart = Chart("Jobs", [Series("failed", [1, 4, None], total=5)])
    text = re.sub("<[^>]+>", "", render(figure(chart, TIMES)))
    assert "failed 4 · 5 in all" in text


def test_a_chart_of_nothing_says_so() -> None:
    """An empty field is no fault of the page."""
    assert "nothing in this range" in render(figure(Chart("t", [Series("a", [0, None])]), TIMES))
    assert "nothing in this range" in render(figure(Chart("t", []), []))


def test_the_times_of_all_charts_are_sent_once() -> None:
    """The document for the browser has the times beside the charts, which are found by title."""
    html = render(values_of([Chart("A", [Series("a", [1, 2, 3])]), Chart("B", [])], TIMES))
    document = json.loads(html.partition(">")[2].rpartition("<")[0])
    assert document["times"] == TIMES
    assert document["charts"]["A"]["series"] == [{"name": "a", "values": [1, 2, 3], "tone": 0}]
    assert html.count(TIMES[0]) == 1


@pytest.mark.parametrize(
    ("last", "form"),
    [("2026-11-30T02:00:00Z", "clock"), ("2026-12-02T01:00:00Z", "hour"), ("2027-01-01", "day")],
)
def test_times_are_as_long_as_the_span_needs(last: str, form: str) -> None:
    """Below a chart of an hour stands the clock, below one of months the day."""
    last = last if "T" in last else f"{last}T00:00:00Z"
    assert f'data-form="{form}"' in render(figure(Chart("t", []), ["2026-11-30T01:00:00Z", last]))
