"""Numbers, sizes, durations and states in words."""

import pytest

from node.words import NOTHING, count, duration, look, many, sign, size


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, NOTHING),
        (0, "0"),
        (7.25, "7.3"),
        (-3, "-3"),
        (12_345, "12,345"),
        (99_999.94, "99,999.9"),
        (100_000, "100K"),
        (123_456, "123.5K"),
        (999_950, "1M"),
        (1_250_000_000, "1.3B"),
        (4e15, "4,000T"),
    ],
)
def test_a_number_is_told_shortly(value: float | None, words: str) -> None:
    """Up to a hundred thousand a number is written out, to a tenth; above it is rounded."""
    assert count(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, NOTHING), (0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (16 << 30, "16 GiB")],
)
def test_a_size_is_told_in_powers_of_1024(value: float | None, words: str) -> None:
    """Sizes are in the units that they are asked in: KiB, MiB, GiB."""
    assert size(value) == words


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, NOTHING),
        (1.25, "1.3 ms"),
        (12.5, "13 ms"),
        (999, "999 ms"),
        (4_200, "4.2 s"),
        (432_000, "7 min 12 s"),
        (3_600_000, "1 h"),
        (172_799_999, "47 h 59 min"),
        (187_200_000, "2 d 4 h"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(ms: float | None, words: str) -> None:
    """A duration is as exact as people ask."""
    assert duration(ms) == words


def test_a_state_has_a_sign_besides_its_colour() -> None:
    """Each way to look has a sign of its own, and a state that nobody knows waits."""
    states = ("completed", "failed", "running", "draining", "cancelled", "of another world")
    assert [look(state) for state in states] == ["good", "bad", "busy", "warn", "gone", "waiting"]
    assert len({sign(state) for state in states}) == len(states)


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 files"), (1, "1 file"), (2_000, "2,000 files")]
)
def test_one_thing_is_told_as_one(number: int, words: str) -> None:
    """A noun has its plural where there are several, and where there is none."""
    assert many(number, "file") == words
