"""A job's timeline on 80 columns: its stages, and one lane for each execution.

A job of many executions has a line for each node instead, and lanes for those that need a look.
"""

from collections import Counter
from collections.abc import Iterable
from statistics import median_low
from typing import TYPE_CHECKING, Any

from node.cli.durations import shown
from node.cli.output import cell, console

if TYPE_CHECKING:
    from rich.table import Table

View = dict[str, Any]

LANES_MAX = 40
LOOK_MAX = 10
NODES_MAX = 40
BAR_WIDTH = 34
SHARE_WIDTH = 30
NODE_WIDTH = 14
FILLS = {"awarded": "·", "running": "━", "proposed": "─", "revealed": "═", "publishing": "▒"}
ENDS = {
    "accepted": "✓",
    "published": "✓",
    "rejected": "✗",
    "failed": "✗",
    "lost": "?",
    "cancelled": "x",
}
LEGEND = "· awarded  ━ running  ─ proposed  ═ revealed  ▒ publishing  ✓ ✗ ? x ended"
LEVELS = " ▁▂▃▄▅▆▇█"
BAD = ("failed", "rejected", "lost")


def show_lanes(view: View) -> None:
    """Print the document of `projections.lanes.lanes_view`."""
    screen = console()
    lanes = view["lanes"]
    screen.print("[bold]Stages[/]")
    screen.print(_stages(view))
    if not lanes:
        return
    took_ms = max(1, view["took_ms"])
    screen.print(f"\n[bold]Executions[/] {len(lanes):,}, in {shown(took_ms)} from the submission")
    if len(lanes) <= LANES_MAX:
        screen.print(_lanes(lanes, took_ms))
    else:
        screen.print(_nodes(lanes, took_ms))
        screen.print("\n[bold]A look at[/] what failed, and what took longest (--shard: one shard)")
        screen.print(_lanes(_first(lanes), took_ms))
    screen.print(f"[dim]{LEGEND}[/]")


def _stages(view: View) -> "Table":
    table = _table("STAGE", "TOTAL", "SHARE", "MEDIAN", "LONGEST", "")
    total_ms = sum(row["total_ms"] for row in view["stages"])
    for row in view["stages"]:
        share = row["total_ms"] / total_ms if total_ms else 0.0
        table.add_row(
            row["stage"],
            shown(row["total_ms"]),
            f"{share:.0%}",
            shown(row["median_ms"]),
            shown(row["longest_ms"]),
            "█" * round(share * SHARE_WIDTH),
        )
    shards = f"of {view['shards']:,} shard(s)"
    table.add_row("all", shown(total_ms), "", "", "", shards)
    return table


def _lanes(lanes: Iterable[View], took_ms: int) -> "Table":
    table = _table("EXEC", "NODE", "STATE", "HELD", "0")
    for lane in lanes:
        table.add_row(
            f"{lane['shard']}-{lane['attempt']}",
            cell(_cut(lane["node"])),
            cell(lane["state"]),
            shown(lane["in_hand_ms"]),
            _bar(lane["marks"], took_ms),
        )
    return table


def _bar(marks: list[View], took_ms: int) -> str:
    """Draw one execution from its award on; each column shows the last state that it saw."""
    bar = [" "] * BAR_WIDTH
    for number, mark in enumerate(marks):
        start = _column(mark["after_ms"], took_ms)
        last = number + 1 == len(marks)
        if mark["state"] in ENDS:
            bar[start] = ENDS[mark["state"]] if last else bar[start]
        else:
            stop = BAR_WIDTH - 1 if last else _column(marks[number + 1]["after_ms"], took_ms)
            bar[start : stop + 1] = FILLS[mark["state"]] * (stop + 1 - start)
    return "".join(bar).rstrip()


def _column(after_ms: int, took_ms: int) -> int:
    return min(BAR_WIDTH - 1, after_ms * BAR_WIDTH // took_ms)


def _nodes(lanes: list[View], took_ms: int) -> "Table":
    """Show for each node how many executions it had, how long, and when how many at a time."""
    table = _table("NODE", "EXECS", "BAD", "MEDIAN", "LONGEST", "0")
    of_node: dict[str, list[View]] = {}
    for lane in lanes:
        of_node.setdefault(lane["node"], []).append(lane)
    busiest = sorted(of_node.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    for node, those in busiest[:NODES_MAX]:
        held_ms = [lane["in_hand_ms"] for lane in those]
        table.add_row(
            cell(_cut(node)),
            f"{len(those):,}",
            str(sum(lane["state"] in BAD for lane in those) or ""),
            shown(median_low(held_ms)),
            shown(max(held_ms)),
            _load(those, took_ms),
        )
    if len(busiest) > NODES_MAX:
        table.add_row("", f"and {len(busiest) - NODES_MAX:,} more nodes, see -o json")
    return table


def _load(lanes: list[View], took_ms: int) -> str:
    """Draw how many executions were in hand at a time, from none to the most."""
    change: Counter[int] = Counter()
    for lane in lanes:
        start_ms = lane["marks"][0]["after_ms"]
        change[_column(start_ms, took_ms)] += 1
        change[_column(start_ms + lane["in_hand_ms"], took_ms) + 1] -= 1
    loads, load = [], 0
    for column in range(BAR_WIDTH):
        load += change[column]
        loads.append(load)
    most = max(loads)
    return "".join(LEVELS[-(-each * (len(LEVELS) - 1) // most)] for each in loads).rstrip()


def _first(lanes: list[View]) -> list[View]:
    """Return those that need a look: bad ends first, then those that were held longest."""
    found = sorted(lanes, key=lambda lane: (lane["state"] not in BAD, -lane["in_hand_ms"]))
    return found[:LOOK_MAX]


def _cut(text: str) -> str:
    return text if len(text) <= NODE_WIDTH else f"{text[: NODE_WIDTH - 1]}…"


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in headings:
        right = heading in ("TOTAL", "SHARE", "MEDIAN", "LONGEST", "HELD", "EXECS", "BAD")
        table.add_column(heading, no_wrap=True, justify="right" if right else "left")
    return table
