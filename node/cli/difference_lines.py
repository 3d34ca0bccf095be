"""Decisions that were made again, in words: how many, and the first that differs in full."""

from collections.abc import Iterator, Mapping
from typing import Any

from events.subjects import NET
from events.times import rfc3339
from node.cli.output import as_text, console

View = Mapping[str, Any]

CHANGES_SHOWN = 8
VALUE_CHARS_MAX = 160


def show_checked(view: View) -> None:
    """Print the counts of a check, and the first decision that differs."""
    screen = console()
    for line in _counts(view):
        screen.print(as_text(line), soft_wrap=True)
    if view["first"] is not None:
        screen.print()
        for line in difference_lines(view["first"]):
            screen.print(as_text(line), soft_wrap=True)
        screen.print("\n-o json has both decisions whole.")


def _counts(view: View) -> Iterator[str]:
    rules = ", ".join(view["policies"])
    by = f", by policy {rules}" if rules else ""
    yield f"{view['decisions']:,} decision(s) about {view['jobs']:,} job(s) and the nodes{by}"
    yield f"{view['same']:,} are made again just so"
    if view["differ"]:
        types = ", ".join(f"{count:,} {name}" for name, count in view["differ_by_type"].items())
        yield f"{view['differ']:,} would differ, in {view['jobs_differ']:,} job(s): {types}"
    for reason, count in view["undecidable"].items():
        yield f"{count:,} cannot be told: {reason}"


FIGURES = {
    "nodes_asked": "nodes asked",
    "rounds_of_offers": "rounds of offers",
    "events_per_job": "events per job",
    "commands_per_job": "commands per job",
    "nodes_used": "nodes used",
    "most_on_one_node": "executions on the busiest node",
}


def show_supposed(view: View) -> None:
    """Print what other rules would have changed: figures, placement, and which decisions."""
    screen = console()
    for line in _supposed(view):
        screen.print(as_text(line), soft_wrap=True)


def _supposed(view: View) -> Iterator[str]:
    numbers = ", ".join(f"{name}={value:,}" for name, value in view["numbers"].items())
    yield f"{view['jobs']:,} job(s), as if the policy had {numbers}"
    yield ""
    yield f"{'':32}{'RECORDED':>12}{'WHAT IF':>12}"
    for field, title in FIGURES.items():
        recorded, other = view[field]["recorded"], view[field]["what_if"]
        yield f"{title:32}{recorded:>12,}{other:>12,}{_percent(recorded, other):>8}".rstrip()
    yield ""
    yield (
        f"{view['executions']:,} execution(s): {view['same_node']:,} on the same node, "
        f"{view['other_node']:,} on another, {view['not_then']:,} not given out at that time"
    )
    yield from _waits(view)
    yield (
        f"{view['compared']:,} decision(s) compared: {view['same']:,} the same, "
        f"{view['otherwise']:,} otherwise"
    )
    for pair, count in view["instead"].items():
        recorded, _, other = pair.partition(": ")
        yield f"  {count:>6,}  {recorded} would be {other}"
    for part in view["fields"]:
        yield f"  {part['decisions']:>6,}  {part['type']} {part['field']}, first"
        yield f"          {_value(part['recorded'], part['field'])}"
        yield f"       -> {_value(part['what_if'], part['field'])}"
    for reason, count in view["not_compared"].items():
        yield f"{count:,} not compared: {reason}"


def _waits(view: View) -> Iterator[str]:
    for kind, count in view["late"].items():
        yield f"{count:,} answer(s) came in time that would come too late: {kind}"
    for kind, count in view["in_time"].items():
        yield f"{count:,} answer(s) came too late that would come in time: {kind}"
    if view["postponed"]:
        yield f"{view['postponed']:,} round(s) of offers would come later"
    if view["silent"]:
        yield f"{view['silent']:,} asking(s) of nodes that had answered nothing yet: left out"
    if view["regrouped"]:
        yield f"{view['regrouped']:,} round(s) of offers would be of other groups of shards"


def _percent(recorded: float, other: float) -> str:
    if not recorded or recorded == other:
        return ""
    return f"{100 * (other - recorded) / recorded:+.0f} %"


def difference_lines(view: View) -> Iterator[str]:
    """Yield a decision and what would be decided in its place, field by field."""
    when = view["time"].replace("T", " ").removesuffix("Z")
    of_job = view["job"] != NET
    about = f"job {view['job']}" if of_job else "the nodes"
    seen = f"{view['seen']} event(s) of it and " if of_job else ""
    yield f"#{view['position']}  {when}  {view['type']} by {view['author']}, about {about}"
    yield f"    by policy {view['policy']}, having seen {seen}{view['members']} about nodes"
    if view["why"]:
        yield f"  recorded  {view['type']} {_value(_own(view['recorded']))}"
        decided = f" {_value(_own(view['decided']))}" if view["decided"] is not None else ""
        yield f"  today     {view['why']}{decided}"
        return
    for change in view["changes"][:CHANGES_SHOWN]:
        yield f"  {change['path']}"
        yield f"    recorded  {_value(change['recorded'], change['path'])}"
        yield f"    today     {_value(change['today'], change['path'])}"
    if len(view["changes"]) > CHANGES_SHOWN:
        yield f"  and {len(view['changes']) - CHANGES_SHOWN:,} more"


def _own(data: View) -> View:
    """Return what a decision says, without what every decision records."""
    made = ("seen", "seal", "policy", "members")
    return {name: value for name, value in data.items() if name not in made}


def _value(value: object, field: str = "") -> str:
    """Return a value in one line, fit for a terminal; a moment as such."""
    import json

    if isinstance(value, int) and field.endswith(("until_ms", "deadline_ms")) and value:
        return rfc3339(value)

    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]} ..."
