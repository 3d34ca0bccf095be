"""Durations and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.units import duration_ms, size_bytes

DURATIONS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("90", 90_000),
        ("1.5s", 1500),
        ("250ms", 250),
        ("1h30m", 5_400_000),
        ("0", 0),
        ("2d", 172_800_000),
    ],
)
def test_durations(text: str, ms: int) -> None:
    """A bare number is seconds, and parts add up."""
    assert duration_ms(text) == ms


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512Mi", 2**29),
        ("2GB", 2 * 10**9),
        ("1048576", 2**20),
        ("1.5KiB", 1536),
        ("1 kb", 1000),
        (" 7B ", 7),
    ],
)
def test_sizes(text: str, size: int) -> None:
    """`Ki` is 1024, `K` is 1000, and a bare number is bytes."""
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    "text", ["", " ", "m", "-1s", "1 hour", "1x", "s1", "1m x", "nan", "inf", "1e3", "9" * 400]
)
def test_no_durations(text: str) -> None:
    """Anything else is refused with an example of what would do."""
    with pytest.raises(ValueError, match="write it like 90s"):
        duration_ms(text)


@pytest.mark.parametrize("text", ["", "Mi", "-1", "1X", "1MiMi", "1.2.3", "nan", "9" * 400])
def test_no_sizes(text: str) -> None:
    """Anything else is refused with an example of what would do."""
    with pytest.raises(ValueError, match="write it like 512Mi"):
        size_bytes(text)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(list(DURATIONS))), min_size=1))
def test_durations_add_up(parts: list[tuple[int, str]]) -> None:
    """A duration of several parts is their sum."""
    text = "".join(f"{number}{unit}" for number, unit in parts)

    assert duration_ms(text) == sum(number * DURATIONS[unit] for number, unit in parts)


@given(st.integers(0, 10**6), st.sampled_from(list((SIZES | BINARY).items())), st.booleans())
def test_sizes_are_whole(number: int, unit: tuple[str, int], suffix: bool) -> None:
    """Every prefix in either case, with or without the B, is exact for whole numbers."""
    name, factor = unit
    text = f"{number}{name}{'B' if suffix else ''}"

    assert size_bytes(text) == size_bytes(text.lower()) == number * factor


@given(st.text(max_size=8))
def test_any_text(text: str) -> None:
    """Any text is a number of 0 or more, or ValueError."""
    for parse in (duration_ms, size_bytes):
        try:
            assert parse(text) >= 0
        except ValueError:
            continue
