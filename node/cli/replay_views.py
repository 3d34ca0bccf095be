"""The past as tables: the network, a node and a job at a point of the log."""

from collections.abc import Mapping
from typing import Any

from node.cli.output import Columns, cell, console, show_rows

View = Mapping[str, Any]

ROWS_SHOWN = 20
JOBS: Columns = {
    "id": "ID",
    "name": "NAME",
    "state": "STATE",
    "shards": "SHARDS",
    "submitted_at": "SUBMITTED",
}
NODES: Columns = {
    "name": "NODE",
    "state": "STATE",
    "roles": "ROLES",
    "executions": "RUNS",
    "agreed": "AGREED",
    "differed": "DIFFERED",
    "quarantined": "QUARANTINED",
}
EXECUTIONS: Columns = {
    "id": "EXECUTION",
    "state": "STATE",
    "awarded_at": "AWARDED",
    "until": "UNTIL",
}
PUBLISHING: Columns = {
    "job": "JOB",
    "shard": "SHARD",
    "publisher": "PUBLISHER",
    "state": "STATE",
    "until": "UNTIL",
}
UNANSWERED: Columns = {"job": "JOB", "offer": "OFFER", "until": "UNTIL"}


def show_network(view: View) -> None:
    """Print the network's state: counts, what waits, open jobs and nodes."""
    _fields(
        {
            **_point(view),
            "Events": _counts(view["events"]),
            "Jobs": _counts(view["jobs"]),
            "Shards": _counts(view["shards"]) or "none of open jobs",
            "Waits for": _counts(view["waits"]) or "nothing",
            "Skipped": _skipped(view["newer"]),
        }
    )
    for title, rows in (("Open jobs", view["open"]), ("Closed jobs", view["closed"])):
        _table(title, [{**row, "shards": _progress(row["shards"])} for row in rows], JOBS)
    _table("Nodes", view["nodes"], NODES)


def show_node(view: View) -> None:
    """Print a node's state: its life, and what it has in hand."""
    _fields(
        {
            **_point(view),
            "Node": view["name"],
            "State": view["state"] + (" (quarantined)" if view["quarantined"] else ""),
            "Reason": view["reason"],
            "Roles": view["roles"],
            "Engines": view["engines"],
            "Joined": f"{view['joined_at']} as {view['incarnation']}",
            "Verdicts": f"{view['agreed']} agreed, {view['differed']} differed",
        }
    )
    _table("Executions", view["executions"], EXECUTIONS)
    _table("Publishing", view["publishing"], PUBLISHING)
    _table("Offers not answered", view["unanswered"], UNANSWERED)


def show_past_job(view: View, now_ms: int) -> None:
    """Print a job as `lota job describe` does, as it was when `now_ms` was now."""
    from events.times import rfc3339
    from node.cli.describe import show_job
    from node.cli.lanes import show_lanes

    _fields(_point({"position": view["position"], "time": rfc3339(now_ms)}))
    console().print()
    show_job(dict(view), now_ms)
    console().print()
    show_lanes(view["lanes"])


def _point(view: View) -> dict[str, Any]:
    return {"Position": view["position"], "Time": view["time"]}


def _skipped(newer: list[dict[str, Any]]) -> str:
    if not newer:
        return ""
    types = ", ".join(f"{skipped['count']:,} {skipped['type']}" for skipped in newer)
    return f"{types}: written by a newer version of Lota"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)


def _progress(shards: Mapping[str, int]) -> str:
    return f"{shards['completed']}/{shards['total']}" if shards["total"] else ""


def _fields(fields: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in (None, "", []):
            table.add_row(name, cell(value))
    console().print(table)


def _table(title: str, rows: list[dict[str, Any]], columns: Columns) -> None:
    """Print the first rows under a title; a long list is for -o json."""
    if not rows:
        return
    screen = console()
    screen.print(f"\n[bold]{title}[/]")
    show_rows(rows[:ROWS_SHOWN], columns, "table")
    if len(rows) > ROWS_SHOWN:
        screen.print(f"and {len(rows) - ROWS_SHOWN:,} more, see -o json")
