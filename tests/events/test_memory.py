"""The in-memory log's synchronous heart, which the simulator drives."""

import pytest

from events.errors import WrongExpectedPosition
from events.log import Expect
from events.memory import MemoryLog

FILTER = "lota.ev.00.j1.r.>"
SUBJECT = "lota.ev.00.j1.r.n1.a.b"


def test_a_fenced_repeat_conflicts_with_itself() -> None:
    """Like a stream of one replica, `append_now` checks the fence before the id."""
    log = MemoryLog()
    log.append_now(SUBJECT, b"{}", id="a", expect=Expect(FILTER, 0))
    with pytest.raises(WrongExpectedPosition):
        log.append_now(SUBJECT, b"{}", id="a", expect=Expect(FILTER, 0))


def test_ids_are_forgotten_after_the_window() -> None:
    """A repeat is recognised within the dedupe window of the given clock, and no longer."""
    log = MemoryLog(dedupe_window_ms=1000)
    assert log.append_now(SUBJECT, b"{}", id="a", now_ms=5_000) == 1
    assert log.append_now(SUBJECT, b"{}", id="a", now_ms=5_999) == 1
    assert log.append_now(SUBJECT, b"{}", id="a", now_ms=6_000) == 2
    assert log.append_now(SUBJECT, b"{}", id="a", now_ms=6_001) == 2


def test_records_are_limited() -> None:
    """At most `limit` records are returned, the first ones behind `after`."""
    log = MemoryLog()
    for number in range(10):
        log.append_now(SUBJECT, b"{}", id=str(number))
    assert [record.position for record in log.records([FILTER], 4, 3)] == [5, 6, 7]


@pytest.mark.parametrize(
    "filter",
    [
        "lota.ev.>",
        "lota.ev.00.j1.>",
        "lota.ev.00.j1.r.>",
        "lota.ev.00.j1.*.n2.>",
        "lota.ev.*.j1.r.>",
        "lota.ev.00.j1.r.n1.a.b",
        "lota.ev.00.nobody.>",
    ],
)
def test_the_index_selects_as_a_scan_does(filter: str) -> None:
    """Whichever index a filter leads to, the same records come out as by trying each."""
    log = MemoryLog()
    subjects = [
        f"lota.ev.00.{job}.{role}.{author}.a.b"
        for job in ("j1", "j2", "j11")
        for role in ("r", "c")
        for author in ("n1", "n2")
    ]
    for number, subject in enumerate(subjects * 3):
        log.append_now(subject, b"{}", id=str(number))
    prefix = filter.rstrip(">").replace("*", "")
    expected = [
        position
        for position, subject in enumerate(subjects * 3, 1)
        if _selected(filter, prefix, subject)
    ]
    assert [record.position for record in log.records([filter], 0)] == expected
    assert log.last_now(filter) == max(expected, default=0)


def _selected(filter: str, prefix: str, subject: str) -> bool:
    """Say by hand which of the test's subjects the filter selects."""
    if "*" not in filter:
        return subject.startswith(prefix)
    tokens = subject.split(".")
    return tokens[3] == "j1" and (tokens[5] == "n2" if "n2" in filter else tokens[4] == "r")
