"""`lota job describe`: one job, and why it waits."""

from typing import TYPE_CHECKING, Any

from node.cli.output import OutputOption, as_text, cell, console, show_document
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

View = dict[str, Any]

SHARDS_SHOWN = 20
REASONS_SHOWN = 20
BAR_WIDTH = 40
ROLE_STYLES = {"g": "green", "r": "magenta", "c": "cyan"}


async def describe(
    job: str, /, *, output: OutputOption = "table", server: Server | None = None
) -> None:
    """Show one job: its state, shards, verdicts and copies, when what happened, why it waits.

    Example: lota job describe 01kb2m -o json

    Parameters
    ----------
    job
        The job's id, or the start of it.
    """
    from events.clock import now_ms
    from node.jobs import find_job, load_job
    from projections.views import job_view

    async with connected(server) as connection:
        log = connection.log
        found = await load_job(log, await find_job(log, job), with_nodes=True)
    view = job_view(found.job, found.nodes, found.timeline, now_ms=now_ms())
    if output == "table":
        show_job(view, now_ms())
    else:
        show_document(view, output)


def show_job(view: View, now_ms: int) -> None:
    """Print a job's view for people: what it is, why it waits, its shards, results and times."""
    screen = console()
    screen.print(_head(view, now_ms))
    for title, part in (
        ("Why it waits", _reasons(view)),
        ("Shards", _shards(view)),
        ("Results", _results(view)),
        ("Timeline", _timeline(view)),
        ("Skipped as illegal", _stories(view)),
        ("Skipped, written by a newer version of Lota", _newer(view)),
    ):
        if part is not None:
            screen.print()
            screen.print(f"[bold]{title}[/]")
            screen.print(part, soft_wrap=isinstance(part, str))


def _grid() -> "Table":
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _head(view: View, now_ms: int) -> "RenderableType":
    from events.times import parse_ms
    from node.cli.durations import shown

    spec, deal = view["spec"], view["spec"].get("deal", {})
    began_ms = parse_ms(view["submitted_at"])
    took_ms = (parse_ms(view["ended_at"]) if view["ended_at"] else now_ms) - began_ms
    counts = view["counts"]
    replicas, confidence = deal.get("replicas", 1), deal.get("confidence", 1)
    rows = {
        "Job": view["id"],
        "Name": view["name"] or None,
        "State": view["state"],
        "Reason": f"{view['code']}: {view['reason'] or ''}" if view["code"] else None,
        "Root CID": view["root_cid"],
        "Runs": " ".join(
            [word for word in (spec["engine"], spec.get("image")) if word]
            + list(spec.get("command", ()))
        ),
        "Inputs": [f"{i['source']} ({i['count']:,} files)" for i in view["inputs"] if i] or None,
        "Deal": f"{replicas} replica(s), {confidence} must agree, verifier {spec['verifier']}",
        "Labels": view["labels"] or None,
        "Submitted": f"{view['submitted_at']} by {view['gateway']}",
        "Took" if view["ended_at"] else "Since": shown(took_ms),
        "Deadline": None if view["ended_at"] else view["deadline_at"],
        "Events": f"{counts['events']}, {counts['late']} late, {counts['illegal']} illegal",
    }
    table = _grid()
    for name, value in rows.items():
        if value is not None:
            table.add_row(name, cell(value))
    return table


def _reasons(view: View) -> "RenderableType | None":
    reasons = view["why_waiting"]
    if not reasons:
        return None
    table = _grid()
    for reason in reasons[:REASONS_SHOWN]:
        shards = f" ({reason['shards']} shard(s))" if reason["shards"] else ""
        table.add_row(reason["node"] or reason["stage"], cell(reason["message"] + shards))
    if len(reasons) > REASONS_SHOWN:
        table.add_row("", f"and {len(reasons) - REASONS_SHOWN} more, see -o json")
    return table


def _shards(view: View) -> "RenderableType | None":
    """Show the shards that need a look first, and only so many."""
    from rich.table import Table

    shards = _first_shards(view)
    if not shards:
        return None
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("SHARD", "STATE", "EXIT", "EXECUTIONS", "VERDICT"):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("SHARD", "STATE"))
    for shard in shards:
        verdict = shard["verdict"] or {}
        claim = verdict.get("claim") or {}
        table.add_row(
            str(shard["index"]),
            cell(shard["state"]),
            cell(claim.get("exit_code")),
            "\n".join(_execution(execution) for execution in shard["executions"]),
            cell(verdict.get("reason") or verdict.get("result") or shard["reason"]),
        )
    if len(view["shards"]) > len(shards):
        table.add_row("", f"and {len(view['shards']) - len(shards)} more, see -o json")
    return table


def _results(view: View) -> str | None:
    """List CIDs and copies a line each, unbroken, so that they can be copied."""
    from projections.state import TERMINAL

    lines = []
    for root in view["roots"]:
        if root["uri"]:
            lines.append(f"root   {root['cid']}")
            lines.append(f"       {_copy(root)}")
        elif root["state"] != "none":
            lines.append(f"root   {_slot(root)}")
    for shard in _first_shards(view):
        claim = (shard["verdict"] or {}).get("claim")
        if claim is not None:
            lines.append(f"{shard['index']:<6} {claim['cid']}")
            lines += [f"       {_copy(copy)}" for copy in shard["publications"]]
            over = shard["state"] in TERMINAL
            told = (_slot(slot, over=over) for slot in shard["slots"] if _to_tell(slot))
            lines += [f"       {line}" for line in told]
    return "\n".join(lines) or None


def _copy(copy: View) -> str:
    """Show one copy: where it is, and behind it who made it and what that took."""
    from node.cli.durations import shown
    from node.words import size

    told = [copy["publisher"]]
    if "size_bytes" in copy:
        told += [size(copy["size_bytes"]), f"in {shown(copy['duration_ms'])}"]
    told.append(f"by {copy['node']}")
    return f"{as_text(copy['uri'])}  [dim]{as_text(', '.join(told))}[/]"


def _to_tell(slot: View) -> bool:
    """Whether a slot has more to say than its copies do."""
    return bool(slot["state"] != "published" and (slot["reason"] or slot["state"] != "idle"))


def _slot(slot: View, *, over: bool = False) -> str:
    """Show a publication that failed or is still to come, with the reason.

    When all is `over`, what was to be tried again has failed.
    """
    where = f"{slot['publisher']} {slot['target']}" if slot["target"] else slot["publisher"]
    told = f", with {slot['node']}" if slot["node"] else ""
    if slot["tries"] > 1:
        told += f", try {slot['tries']}"
    if slot["reason"]:
        told += f": {slot['reason']}"
    state = "failed" if over and slot["state"] == "retry" else slot["state"]
    return f"{as_text(where)}  {cell(state)}{as_text(told)}"


def _first_shards(view: View) -> list[View]:
    shards = sorted(view["shards"], key=lambda shard: (_rank(shard["state"]), shard["index"]))
    return shards[:SHARDS_SHOWN]


def _rank(state: str) -> int:
    return {"failed": 0, "completed": 2, "cancelled": 2}.get(state, 1)


def _execution(execution: View) -> str:
    reason = f": {execution['reason']}" if execution["reason"] else ""
    return f"{as_text(execution['node'])} {cell(execution['state'])}{as_text(reason)}"


def _timeline(view: View) -> "RenderableType | None":
    """Draw each kind of event as a bar from its first to its last."""
    from rich.table import Table

    from events.times import parse_ms
    from node.cli.durations import shown

    rows = view["timeline"]
    if not rows:
        return None
    start_ms = min(parse_ms(row["first"]) for row in rows)
    span_ms = max(1, max(parse_ms(row["last"]) for row in rows) - start_ms)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("AFTER", "EVENT", "EVENTS", "ITEMS"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "EVENT" else "right")
    table.add_column("")
    table.add_column("BY", overflow="fold")
    for row in rows:
        first_ms, last_ms = (parse_ms(row[end]) - start_ms for end in ("first", "last"))
        left = first_ms * (BAR_WIDTH - 1) // span_ms
        length = max(1, last_ms * (BAR_WIDTH - 1) // span_ms - left + 1)
        bar = f"{' ' * left}[{ROLE_STYLES[row['role']]}]{'━' * length}[/]"
        table.add_row(
            shown(first_ms),
            row["kind"],
            str(row["events"]),
            str(row["items"]),
            bar + " " * (BAR_WIDTH - left - length),
            cell(row["authors"]),
        )
    return table


def _stories(view: View) -> "RenderableType | None":
    if not view["illegal"]:
        return None
    table = _grid()
    for story in view["illegal"]:
        what = f"{story['item']} by {story['author']} in state {story['state']}: {story['why']}"
        table.add_row(story["kind"], cell(what))
    return table


def _newer(view: View) -> "RenderableType | None":
    if not view["newer"]:
        return None
    table = _grid()
    for skipped in view["newer"]:
        first, last = skipped["first"], skipped["last"]
        where = f"at position {first}" if first == last else f"at positions {first} to {last}"
        table.add_row(skipped["type"], f"{skipped['count']} event(s) {where}")
    return table
