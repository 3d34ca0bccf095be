"""Decisions that were made again, in words: how many, and the first that differs in full."""

from collections.abc import Iterator, Mapping
from typing import Any

from node.cli.output import console

View = Mapping[str, Any]

CHANGES_SHOWN = 20
VALUE_CHARS_MAX = 160


def show_checked(view: View) -> None:
    """Print the counts of a check, and the first decision that differs."""
    from rich.markup import escape

    screen = console()
    for line in _counts(view):
        screen.print(escape(line), soft_wrap=True)
    if view["first"] is not None:
        screen.print()
        for line in difference_lines(view["first"]):
            screen.print(escape(line), soft_wrap=True)
        screen.print("\n-o json has both decisions whole.")


def _counts(view: View) -> Iterator[str]:
    rules = ", ".join(view["policies"])
    by = f", by policy {rules}" if rules else ""
    yield f"{view['decisions']:,} decisions about {view['jobs']:,} jobs and the nodes{by}"
    yield f"{view['same']:,} are made again just so"
    if view["differ"]:
        types = ", ".join(f"{count:,} {name}" for name, count in view["differ_by_type"].items())
        yield f"{view['differ']:,} would differ, in {view['jobs_differ']:,} jobs: {types}"
    for reason, count in view["undecidable"].items():
        yield f"{count:,} cannot be told: {reason}"


def difference_lines(view: View) -> Iterator[str]:
    """Yield a decision and what would be decided in its place, field by field."""
    when = view["time"].replace("T", " ").removesuffix("Z")
    yield f"#{view['position']}  {when}  {view['type']} by {view['author']}, job {view['job']}"
    yield (
        f"    by policy {view['policy']}, having seen {view['seen']} events of it "
        f"and {view['members']} about nodes"
    )
    if view["why"]:
        yield f"  recorded  {view['type']} {_value(_own(view['recorded']))}"
        decided = f" {_value(_own(view['decided']))}" if view["decided"] is not None else ""
        yield f"  today     {view['why']}{decided}"
        return
    for change in view["changes"][:CHANGES_SHOWN]:
        yield f"  {change['path']}"
        yield f"    recorded  {_value(change['recorded'])}"
        yield f"    today     {_value(change['today'])}"
    if len(view["changes"]) > CHANGES_SHOWN:
        yield f"  and {len(view['changes']) - CHANGES_SHOWN:,} more"


def _own(data: View) -> View:
    """Return what a decision says, without what every decision records."""
    made = ("seen", "seal", "policy", "members")
    return {name: value for name, value in data.items() if name not in made}


def _value(value: object) -> str:
    """Return a value in one line, fit for a terminal."""
    import json

    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
    return text if len(text) <= VALUE_CHARS_MAX else f"{text[:VALUE_CHARS_MAX]} ..."
