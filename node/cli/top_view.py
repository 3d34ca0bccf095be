"""`lota top` on the screen: from its document alone to what rich draws."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from node.cli.output import STATE_STYLES, plain
from node.cli.sparkline import sparkline

View = Mapping[str, Any]

BARS = 60
LEAST_NODES = 3
LINES_BESIDE = 10
"""What takes lines besides nodes and events: the head, three sparklines, headings and gaps."""
ROLE_STYLES = {"g": "green", "r": "magenta", "c": "cyan"}
LINES = (("jobs/s", "jobs.completed"), ("events/s", "events"), ("queue", "queue"))


def top_view(view: View, height: int | None = None, *, fill: bool = True) -> RenderableType:
    """Return the whole screen, in at most `height` lines if that is enough for a few nodes.

    Lines `fill` its width, or else end with what they say.
    """
    events = view["events"]
    room = len(view["nodes"])
    if height is not None:
        room = max(LEAST_NODES, height - LINES_BESIDE - len(events))
    return Group(
        _head(view),
        "",
        _lines(view),
        "",
        _nodes(view["nodes"], room),
        "",
        _events(events, fill=fill),
    )


def _head(view: View) -> Text:
    jobs = view["jobs"]
    parts = [
        f"{sum(jobs.values()):,} open job(s), {jobs['running']:,} of them running",
        f"{view['queue']:,} shard(s) wait",
        f"{view['running']:,} execution(s) run",
        f"position {view['position']:,}",
    ]
    head = Text("; ".join(parts), style="bold", no_wrap=True, overflow="ellipsis")
    if view["lag"]:
        head = Text(f"{view['lag']:,} events behind; ", style="yellow").append_text(head)
        head.no_wrap, head.overflow = True, "ellipsis"
    return head


def _lines(view: View) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_column(no_wrap=True, overflow="ellipsis")
    series = view["series"]
    for title, name in LINES:
        values = series[name]
        known = [value for value in values if value is not None]
        now, most = (known[-1], max(known)) if known else (0, 0)
        table.add_row(title, _Sparkline(values), f"{now:,.6g} now, {most:,.6g} at most")
    return table


class _Sparkline:
    """As many bars as there is room for."""

    def __init__(self, values: Sequence[float | None]) -> None:
        self._values = values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        bars = sparkline(self._values, min(BARS, options.max_width))
        yield Text(bars, "cyan", no_wrap=True, overflow="crop")

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, min(BARS, len(self._values)))


def _nodes(nodes: Sequence[View], room: int) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("NODE", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for heading in ("WIDTH", "RUNNING", "WON", "LOST", "AGREED", "DIFFERED", "FAILED"):
        table.add_column(heading, justify="right")
    for node in nodes[:room]:
        numbers = (node[name] for name in NUMBERS)
        state = Text(node["state"], STATE_STYLES.get(node["state"], ""))
        table.add_row(Text(node["name"]), state, *(f"{number:,}" for number in numbers))
    if len(nodes) > room:
        return Group(table, Text(f"and {len(nodes) - room:,} more: lota node ls", "dim"))
    return table


NUMBERS = ("width", "running", "won", "lost", "agreed", "differed", "failed")


def _events(events: Sequence[View], *, fill: bool) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, expand=fill)
    table.add_column(justify="right", style="dim", no_wrap=True)
    for _ in range(3):
        table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim", ratio=1)
    for event in events:
        table.add_row(
            f"{event['position']}",
            Text((event["time"] or "")[11:19], "dim"),
            Text(plain(event["type"] or "?"), ROLE_STYLES.get(event["role"] or "", "")),
            Text(plain(event["job"] or "")),
            Text(plain(event["summary"])),
        )
    return table
