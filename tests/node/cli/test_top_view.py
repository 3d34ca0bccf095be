"""What `lota top` draws of its document."""

import io
from typing import Any

import pytest
from rich.console import Console

from node.cli.top_view import top_view


def view(nodes: int = 2, **changes: Any) -> dict[str, Any]:
    return {
        "position": 1234,
        "time": "2026-11-30T03:00:00.000Z",
        "lag": 0,
        "jobs": {"submitted": 1, "running": 2},
        "queue": 7,
        "running": 3,
        "nodes": [
            {
                "name": f"node-{number}",
                "state": "live",
                "width": 4,
                "running": 3,
                "won": 100,
                "lost": 20,
                "agreed": 9,
                "differed": 1,
                "failed": 5,
            }
            for number in range(nodes)
        ],
        "series": {
            "jobs.completed": [0.0, 1.0, 2.5],
            "events": [None, 9.0, 18.0],
            "queue": [None, None, None],
        },
        "events": [
            {
                "position": 1230 + number,
                "time": "2026-11-30T02:59:59.000Z",
                "type": "job.completed",
                "role": "r",
                "job": "01kb",
                "author": "r0",
                "summary": "bafy [red]root[/]",
            }
            for number in range(4)
        ],
        **changes,
    }


def drawn(document: dict[str, Any], *, width: int = 100, height: int | None = None) -> list[str]:
    """Return the lines of a screen without colours."""
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(top_view(document, height))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_what_is_printed_once_has_no_blanks_for_a_width() -> None:
    """A pipe is taken for very wide, and who greps it gets lines of the length of their text."""
    out = io.StringIO()
    Console(file=out, width=10_000, color_system=None).print(top_view(view(), fill=False))
    assert max(map(len, out.getvalue().splitlines())) < 120


def test_everything_is_on_the_screen() -> None:
    """The head, the sparklines, a line for each node and each of the last events are shown."""
    text = "\n".join(drawn(view()))
    for part in (
        "3 open job(s), 2 of them running; 7 shard(s) wait; 3 execution(s) run; position 1,234",
        "jobs/s    ▁▄█  2.5 now, 2.5 at most",
        "events/s   ▅█  18 now, 18 at most",
        "0 now, 0 at most",
        "DIFFERED",
        "node-1  live       4        3  100    20       9         1       5",
        "02:59:59  job.completed  01kb  bafy [red]root[/]",
    ):
        assert part in text, text


def test_a_large_network_fits_the_screen() -> None:
    """Of more nodes than there are lines the first are shown, and how many more there are."""
    lines = drawn(view(nodes=500), height=30)
    assert len(lines) <= 30
    assert sum(line.startswith("node-") for line in lines) == 16
    assert "and 484 more: lota node ls" in lines


def test_a_narrow_screen_wraps_nothing() -> None:
    """At 60 columns each event still has one line."""
    lines = drawn(view(), width=60)
    assert sum("job.completed" in line for line in lines) == 4
    assert max(map(len, lines)) <= 60


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_bars_take_what_room_there_is(width: int) -> None:
    """Each sparkline has one line; it has fewer bars, or none, where the screen is narrow."""
    document = view()
    numbers = [0.0, 9.0, None] * 20
    document["series"] |= dict.fromkeys(("jobs.completed", "events", "queue"), numbers)
    lines = drawn(document, width=width)
    assert max(map(len, lines)) <= width
    assert [line[:3] for line in lines[2:5]] == ["job", "eve", "que"]
    assert [("█" in line) for line in lines[2:5]] == [width >= 60] * 3


def test_a_usual_screen_cuts_what_is_said_alone() -> None:
    """At 80 columns the position, the time, the type and the job of an event are whole."""
    document = view()
    for event in document["events"]:
        event.update(job="01m8nb971ny7rbz4nxga873860", type="reveals.requested", summary="b" * 59)
    text = "\n".join(drawn(document, width=80))
    assert "1230  02:59:59  reveals.requested  01m8nb971ny7rbz4nxga873860  bbb" in text, text


def test_what_others_wrote_moves_no_cursor() -> None:
    """Escape sequences and line breaks in an event come out as text."""
    document = view()
    document["events"][0]["summary"] = "a\x1b[2Jb\nc"
    text = "\n".join(drawn(document))
    assert "\x1b" not in text
    assert r"a\x1b[2Jb\nc" in text


def test_a_fold_that_is_behind_says_so() -> None:
    """While the log is being read, the head says how far it is."""
    assert "12,000 events behind" in drawn(view(lag=12_000))[0]
