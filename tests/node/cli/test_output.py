"""What commands print for people."""

import io
from typing import Literal

import pytest
from rich.console import Console

from node.cli.output import paint, plain, show_document, show_rows


@pytest.mark.parametrize(("system", "painted"), [("standard", "\x1b[35mjob\x1b[0m"), (None, "job")])
def test_a_style_is_for_screens_that_show_it(
    system: Literal["standard"] | None, painted: str
) -> None:
    """A text gets the codes that rich gives it, and none where there are no colours."""
    screen = Console(file=io.StringIO(), force_terminal=True, color_system=system)
    assert paint(screen, "magenta")("job") == painted


@pytest.mark.parametrize(
    ("line", "shown"),
    [("a ünï", "a ünï"), ("a\x1b[2J\r\n", "a\\x1b[2J\\r\\n"), ("\u202e", "\\u202e")],
)
def test_no_terminal_acts_on_a_plain_line(line: str, shown: str) -> None:
    """What is not printable is written out, and what is stays as it is."""
    assert plain(line) == shown


def test_a_field_says_no(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a field that is shown, no answer would be no answer; one without a value is left out."""
    show_document({"signed": False, "paused": True, "reason": None}, "table")

    assert capsys.readouterr().out.split() == ["signed:", "no", "paused:", "yes"]


def test_no_terminal_acts_on_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that somebody gave stays in its line and writes no one else's."""
    rows = [{"name": "a\x1b[2K\rb\n\u202ec", "labels": {"k": "\x07"}}]
    show_rows(rows, {"name": "NAME", "labels": "LABELS"}, "table")

    _, row = capsys.readouterr().out.splitlines()
    assert row.split() == ["a\\x1b[2K\\rb\\n\\u202ec", "k=\\x07"]
