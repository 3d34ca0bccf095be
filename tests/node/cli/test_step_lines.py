"""Steps in words."""

from typing import Any

from events.times import rfc3339
from node.cli.step_lines import body, change_lines, head, lines, marks, ranges
from projections.steps import Cause, Change, Step

NOW_MS = 1_790_000_000_000


def step(**fields: Any) -> Step:
    """Return a step of which only what a test is about is said."""
    told = {"position": 7, "subject": "lota.ev.00.a.c.n1.results.proposed", "job": "a"}
    return Step(**{**told, "kind": "results.proposed", "author": "n1", **fields})


def state(what: str, name: str, node: str, before: str | None, after: str) -> Change:
    """Return the change of a part's state."""
    return Change(what, name, node, "state", before, after, before is None)


def test_a_head_says_where_when_what_and_by_whom() -> None:
    """It has the position, the time, the time since the last event, the type and the author."""
    told = step(time="2026-09-21T14:13:20.000Z", after_ms=1_500)
    assert head(told) == "#7  2026-09-21 14:13:20.000  +1.5s   results.proposed by n1"


def test_clocks_that_disagree_are_seen() -> None:
    """An event that says it came before the last one has a negative distance."""
    assert "-4.0s" in head(step(time="2026-09-21T14:13:20.000Z", after_ms=-4_000))


def test_a_cause_is_a_type_and_a_distance() -> None:
    """What a decision names is its cause, and what a fact answers is said otherwise."""
    named = step(cause=Cause("E1", "bids.placed", 5, 1, recorded=True))
    answered = step(cause=Cause("E1", "shards.awarded", 4, 3, recorded=False))
    assert list(body(named))[-1] == "because of bids.placed, 1 event before (#5)"
    assert list(body(answered))[-1] == "in answer to shards.awarded, 3 events before (#4)"


def test_changes_of_state_read_from_left_to_right() -> None:
    """Each part has its line, with the node that has it and what else changed of it."""
    until = rfc3339(NOW_MS + 30_000)
    changes = [
        state("shard", "3", "", "running", "verifying"),
        state("execution", "3-0", "n2", "running", "proposed"),
        Change("execution", "3-0", "n2", "exit code", None, 0),
        state("execution", "3-1", "n1", None, "awarded"),
        Change("execution", "3-1", "n1", "until", None, until, new=True),
        Change("job", "a", "", "wait for a verdict", 0, 1),
    ]
    assert list(change_lines(changes, NOW_MS)) == [
        "shard 3: running -> verifying",
        "execution 3-0 (n2): running -> proposed, exit code 0",
        "execution 3-1 (n1): awarded, until +30.0s",
        "job: wait for a verdict 0 -> 1",
    ]


def test_many_alike_are_one_line() -> None:
    """A round about a thousand shards is as long as one about five."""
    shards = [state("shard", str(n), "", "offered", "running") for n in range(1_000)]
    held = [state("execution", f"{n}-0", "n1", None, "awarded") for n in range(1_000)]
    assert list(change_lines([*shards, *held], NOW_MS)) == [
        "1,000 shards 0-999: offered -> running",
        "1,000 executions (n1) 0-0 to 999-0: awarded",
    ]


def test_late_and_illegal_items_are_marked() -> None:
    """What changed nothing, or was skipped, stands below with the reason."""
    late, illegal = marks(step(late=2, illegal=("offer 7 bid in state running: no such offer",)))
    assert late == "late: 2 item(s) came when it was decided, and changed nothing"
    assert illegal == "illegal, skipped: offer 7 bid in state running: no such offer"


def test_ranges_are_short() -> None:
    """Numbers in a row are one range, and many ranges are counted."""
    assert ranges(["0", "1", "2", "7"]) == "0-2, 7"
    assert ranges([str(n) for n in range(0, 20, 2)]) == "0, 2, 4, 6 and 6 more ranges"


def test_what_others_wrote_cannot_steer_a_terminal() -> None:
    """Escape sequences and line breaks in a reason are shown as text."""
    (_, _, marked) = lines(step(illegal=("a\x1b[2J\nb",)))
    assert marked == ["illegal, skipped: a\\x1b[2J\\nb"]
