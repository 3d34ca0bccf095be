"""What is wrong with a file that should be an export."""

import random

import pytest

from events.archive.check import Checker
from events.cid import raw_cid
from events.errors import (
    DamagedExport,
    ExportError,
    NotAnExport,
    TruncatedExport,
    UnorderedExport,
)
from tests.events.archive.logs import export, stored

BLOB = bytes(range(256)) * 1000
LINES = export(map(stored, (1, 2, 3)), blobs={raw_cid(BLOB): BLOB, raw_cid(b""): b""})


def check(lines: list[bytes]) -> Checker:
    """Take all lines and finish."""
    checker = Checker()
    for line in lines:
        checker.take(line)
    checker.finish()
    return checker


def test_a_whole_export_is_right() -> None:
    """What was composed passes, with its counts."""
    checker = check(LINES)
    assert (checker.events, checker.blobs, checker.last) == (3, 2, 3)


def test_an_empty_log_has_an_export() -> None:
    """A log without events is a header and an end."""
    assert check(export([])).events == 0


@pytest.mark.parametrize("count", range(1, len(LINES)))
def test_a_missing_end_is_noticed(count: int) -> None:
    """An export that stops after any line is truncated, not damaged."""
    with pytest.raises(TruncatedExport, match=f"behind line {count}"):
        check(LINES[:count])


@pytest.mark.parametrize("count", range(1, len(LINES)))
def test_a_line_that_is_cut_is_noticed(count: int) -> None:
    """An export that stops within a line names that line as cut off."""
    with pytest.raises(TruncatedExport, match=f"line {count + 1} is cut off"):
        check([*LINES[:count], LINES[count][:-9]])


def test_an_empty_file_is_no_export() -> None:
    """A file without a line is not even truncated."""
    with pytest.raises(NotAnExport, match="empty"):
        check([])


@pytest.mark.parametrize("order", [(1, 3, 2), (1, 1, 2), (0, 1, 2)])
def test_events_out_of_order_are_named(order: tuple[int, ...]) -> None:
    """Positions that do not rise are refused in the line where it shows."""
    with pytest.raises(UnorderedExport, match=r"line [234]: position"):
        check(export(map(stored, order)))


def test_an_event_behind_the_blobs_is_out_of_order() -> None:
    """Events stand before the blobs, or a reader would miss them."""
    lines = [*LINES[:-1], export([stored(9)])[1]]
    with pytest.raises(UnorderedExport, match="behind the blobs"):
        check(lines)


def test_a_line_behind_the_end_is_refused() -> None:
    """Two exports in one file are none."""
    with pytest.raises(DamagedExport, match="stands behind the end"):
        check([*LINES, LINES[0]])


def test_a_line_too_few_is_counted() -> None:
    """Leaving out a line in the middle is found by the counts."""
    with pytest.raises(DamagedExport, match="counts 3 events"):
        check([*LINES[:2], *LINES[3:]])


def test_a_changed_blob_is_named() -> None:
    """A blob is held to its CID where it ends."""
    lines = list(LINES)
    lines[4] = lines[4].replace(b"AAEC", b"AAED", 1)
    with pytest.raises(DamagedExport, match=f"line 6: .*{raw_cid(BLOB)}"):
        check(lines)


def test_every_changed_byte_is_found() -> None:
    """Whichever bit of an export is flipped, it is no longer one."""
    whole = b"".join(LINES)
    dice = random.Random(4)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[dice.randrange(len(whole) - 1)] ^= 1 << dice.randrange(8)
        with pytest.raises(ExportError):
            check(bytes(damaged).splitlines(keepends=True))
