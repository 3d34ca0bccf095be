"""Statistics as tables: of each number its total, and a bar for each stretch of time."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from node.cli.durations import shown
from node.cli.output import console
from node.cli.sparkline import sparkline
from node.words import size
from projections.statistics import names
from projections.statistics.series import Number, Series
from projections.statistics.span import told

if TYPE_CHECKING:
    from rich.table import Table

WIDTH = 26
"""Bars of a line: with its number a line fits into 80 columns."""
CLASSES_MAX = 20

Format = Callable[[float], str]

_COUNTS = (
    ("jobs", names.JOBS),
    ("shards", names.SHARDS),
    ("bids", names.BIDS),
    ("executions", names.EXECUTIONS),
    ("verdicts", names.VERDICTS),
)
_SKIPPED = {"late": "came late", "illegal": "not legal", "newer": "newer", "foreign": "foreign"}


def show_tables(series: Series) -> None:
    """Print the tables of a series; what never happened has no line, but for the jobs."""
    screen = console()
    screen.print(_head(series))
    screen.print(_counts(series))
    screen.print()
    screen.print(_standing(series))
    if any(series.percentiles[name]["count"] for name in names.HISTOGRAMS):
        screen.print()
        screen.print(_percentiles(series))
    if any(_failures(series)):
        screen.print()
        screen.print(_classes(series))


def _head(series: Series) -> str:
    document = series.document()
    since, until = (document[edge][:19].replace("T", " ") for edge in ("since", "until"))
    points = len(series.times)
    bar = "a point" if points <= WIDTH else f"{round(points / WIDTH, 1):g} points"
    return (
        f"[bold]{since} to {until} UTC[/], {points:,} point(s) of"
        f" {told(series.step_ms // 1000)}; a bar is {bar}"
    )


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(headings[0], no_wrap=True)
    for heading in headings[1:-1]:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(headings[-1], no_wrap=True)
    return table


def _counts(series: Series) -> "Table":
    table = _table("WHAT", "TOTAL", "OVER TIME")
    for what, counts in _COUNTS:
        for item, name in counts.items():
            if series.totals[name] or what == "jobs":
                _add_count(table, series, f"{what} {item}", name)
        if what == "shards":
            _add_count(table, series, "offers", names.OFFERS)
    for what, name in (("published", names.PUBLISHED), ("not published", names.PUBLISH_FAILED)):
        _add_count(table, series, what, name)
    _add_count(table, series, "published bytes", names.PUBLISHED_BYTES, size)
    _add_count(table, series, "events", names.EVENTS)
    _add_count(table, series, "bytes of events", names.BYTES, size)
    for name, what in _SKIPPED.items():
        _add_count(table, series, what, name)
    return table


def _add_count(
    table: "Table", series: Series, what: str, name: str, form: Format = "{:,}".format
) -> None:
    if series.totals[name] or name in names.JOBS.values():
        table.add_row(what, form(series.totals[name]), sparkline(series.series[name], WIDTH))


def _standing(series: Series) -> "Table":
    table = _table("HOW IT STOOD", "END", "MOST", "OVER TIME")
    for what, name, form in (
        ("open jobs", names.OPEN_JOBS, _whole),
        ("shards waiting", names.QUEUE, _whole),
        ("executions in hand", names.RUNNING, _whole),
        ("nodes", names.NODES, _whole),
        ("places", names.DECLARED_WIDTH, _whole),
        ("cores declared", names.DECLARED_CPU, "{:,g}".format),
        ("cores used", names.USED_CPU, "{:,g}".format),
        ("memory declared", names.DECLARED_MEMORY, size),
        ("memory used", names.USED_MEMORY, size),
    ):
        numbers = series.series[name]
        known = [number for number in numbers if number is not None]
        most = series.series[names.PEAKS.get(name, name)]
        table.add_row(
            what,
            form(known[-1]) if known else "",
            form(max(number for number in most if number is not None)) if known else "",
            sparkline(most, WIDTH),
        )
    return table


def _percentiles(series: Series) -> "Table":
    table = _table("HOW LONG", "COUNT", "P50", "P90", "P99", "P90 OVER TIME")
    rows: list[tuple[str, str, Format]] = [
        *((f"stage {stage}", name, _duration) for stage, name in names.LATENCY.items()),
        ("shard in all", names.TOTAL, _duration),
        ("messages per job", names.MESSAGES, _whole),
        ("bytes per job", names.JOB_BYTES, size),
    ]
    for what, name, form in rows:
        found = series.percentiles[name]
        values = (_or_nothing(found[share], form) for share in ("p50", "p90", "p99"))
        over_time = sparkline(series.series[f"{name}.p90"], WIDTH)
        table.add_row(what, f"{found['count']:,}", *values, over_time)
    return table


def _failures(series: Series) -> Iterable[str]:
    return [name for name in series.totals if name.startswith(names.FAILURE)]


def _classes(series: Series) -> "Table":
    table = _table("FAILURES", "TOTAL", "OVER TIME")
    most = sorted(_failures(series), key=lambda name: (-series.totals[name], name))
    for name in most[:CLASSES_MAX]:
        what = name.removeprefix(names.FAILURE).replace(".", " ", 1)
        table.add_row(what, f"{series.totals[name]:,}", sparkline(series.series[name], WIDTH))
    if len(most) > CLASSES_MAX:
        table.add_row(f"and {len(most) - CLASSES_MAX:,} more classes, see -o json", "", "")
    return table


def _or_nothing(value: Number, form: Format) -> str:
    return "" if value is None else form(value)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


def _duration(value: float) -> str:
    return shown(round(value))
