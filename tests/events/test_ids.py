"""ULIDs."""

import re
import time

from events.clock import now_ms
from events.ids import new_id, new_job_id
from events.subjects import JOB_ID

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def number(ulid: str) -> int:
    value = 0
    for letter in ulid:
        value = value * 32 + ALPHABET.index(letter)
    return value


def test_form() -> None:
    """An id is 26 letters of Crockford's alphabet and fits in 128 bits."""
    assert re.fullmatch(f"[0-7][{ALPHABET}]{{25}}", new_id())


def test_time() -> None:
    """The first 48 bits are the millisecond in which the id was made."""
    before, made, after = now_ms(), number(new_id()) >> 80, now_ms()

    assert before <= made <= after


def test_chance() -> None:
    """Ids made in a row differ, and every one of the 80 random bits comes both ways."""
    mask = (1 << 80) - 1
    values = [number(new_id()) & mask for _ in range(1000)]
    ones, zeros = 0, 0
    for value in values:
        ones, zeros = ones | value, zeros | ~value & mask

    assert len(set(values)) == 1000
    assert ones == zeros == mask


def test_job_ids() -> None:
    """A job id is a lower-case ULID and fits the subject grammar."""
    job = new_job_id()

    assert JOB_ID.fullmatch(job)
    assert job == job.lower()
    assert number(job.upper())


def test_clock() -> None:
    """The clock is the wall clock in milliseconds."""
    assert abs(now_ms() - time.time() * 1000) < 1000
