"""How commands show data: tables for people, JSON and YAML for programs.

Tables are coloured on a terminal only, never under NO_COLOR. Behind a pipe they are as wide as
they need to be, so that nothing a script greps for is cut off.
"""

import io
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from rich.console import Console

    from events.errors import EventError
    from events.log import Record

Output = Literal["table", "json", "yaml"]
OutputOption = Annotated[Output, Parameter(name=["--output", "-o"])]
"""The option of every command that lists or describes; each shows the same data in all forms."""

Form = Literal["table", "json", "yaml", "jsonl"]
"""As `Output`, or the whole in one line."""

Columns = Mapping[str, str]
"""Field to heading, in the order of a table."""

PIPE_WIDTH = 10_000
STATE_STYLES = {
    "completed": "green",
    "accepted": "green",
    "live": "green",
    "failed": "red",
    "rejected": "red",
    "lost": "red",
    "cancelled": "yellow",
    "draining": "yellow",
    "running": "cyan",
    "verifying": "cyan",
    "publishing": "cyan",
}


def tolerate_any_text() -> None:
    """Let stdout and stderr print text that their encoding has no bytes for, or that nobody reads
    as they were closed before we began.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 # for the whole process
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def console(*, stderr: bool = False) -> "Console":
    """Return a console for stdout or stderr as it is now."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=False)


def show_document(document: Mapping[str, Any], output: Output) -> None:
    """Print one object; as a table, its fields one a line, without those that are null."""
    if output == "table":
        from rich.table import Table

        table = Table(box=None, show_header=False, pad_edge=False)
        for field, value in document.items():
            if value is not None:
                table.add_row(f"{field}:", "no" if value is False else cell(value))
        console().print(table)
    else:
        _print_data(document, output)


def show_view(
    view: Mapping[str, Any], form: Form, table: Callable[[Mapping[str, Any]], None]
) -> None:
    """Print one object that has a table of its own, which `table` prints."""
    if form == "table":
        table(view)
    elif form == "jsonl":
        print(json.dumps(view, ensure_ascii=False))
    else:
        _print_data(view, form)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Columns, output: Output) -> None:
    """Print a list of objects; as a table, only those of their fields that `columns` names."""
    if output == "table":
        from rich.table import Table

        table = Table(box=None, pad_edge=False, header_style="bold")
        for heading in columns.values():
            table.add_column(heading, no_wrap=heading in ("ID", "NAME", "STATE"), overflow="fold")
        for row in rows:
            table.add_row(*(cell(row[field]) for field in columns))
        console().print(table)
    else:
        _print_data(list(rows), output)


def cell(value: object) -> str:
    """Return a value as a table shows it, with rich's markup where a state has a colour."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, Mapping):
        return as_text(", ".join(f"{key}={item}" for key, item in value.items()))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return as_text(", ".join(str(item) for item in value))
    style = STATE_STYLES.get(str(value))
    return f"[{style}]{value}[/]" if style else as_text(str(value))


def as_text(words: str) -> str:
    """Return what somebody else has written so that neither rich nor a terminal acts on it."""
    from rich.markup import escape

    return escape(plain(words))


def paint(screen: "Console", style: str) -> Callable[[str], str]:
    """Return what gives a text this style, if the screen shows any."""
    from rich.text import Text

    with screen.capture() as captured:
        screen.print(Text("|", style), end="")
    before, _, after = captured.get().partition("|")
    return lambda text: f"{before}{text}{after}"


def plain(line: str) -> str:
    """Return a line of which no terminal acts on anything: what is not printable is written out.

    What a node or a user has written may hold line breaks and escape sequences.
    """
    if line.isprintable():
        return line
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


def write_bytes(data: bytes) -> None:
    """Write raw bytes to stdout, behind what was printed, and let them be seen now."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def note(text: str) -> None:
    """Say something that is no data: to stderr."""
    print(text, file=sys.stderr, flush=True)


def note_foreign(record: "Record", error: "EventError") -> None:
    """Say of a message on the log that it is no event of ours, and why."""
    note(plain(f"lota: skipped {record.position} {record.subject}: {error}"))


def _print_data(data: object, output: Output) -> None:
    if output == "json":
        print(json.dumps(data, indent=2, ensure_ascii=False))
        return
    import yaml

    print(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), end="")
