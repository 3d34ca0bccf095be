"""Times on the wire."""

import pytest

from events.times import FIRST_MS, LAST_MS, parse_ms, rfc3339


@pytest.mark.parametrize("ms", [FIRST_MS, -1, 0, 1_795_000_000_123, LAST_MS])
def test_a_time_reads_back(ms: int) -> None:
    """What is written is read as the same millisecond."""
    assert parse_ms(rfc3339(ms)) == ms


def test_a_time_of_no_year_is_the_nearest() -> None:
    """A time that somebody made up does not end who shows it."""
    assert rfc3339(2**60) == "9999-12-31T23:59:59.999Z"
    assert rfc3339(-(2**60)) == "1000-01-01T00:00:00.000Z"
