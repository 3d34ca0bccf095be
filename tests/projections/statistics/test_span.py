"""Which points a span of time has, and of which buckets they are made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import WrongUsage
from projections.statistics.levels import DAY, DAY_S, HOUR, HOUR_S, LEVELS, MINUTE, MINUTE_S, SECOND
from projections.statistics.span import POINTS, POINTS_MAX, POINTS_MIN, span_of, told

NOW_S = 1_795_000_000
NOW_MS = NOW_S * 1000


@pytest.mark.parametrize(
    ("length_s", "step_s"),
    [
        (1, 1),
        (MINUTE_S, 1),
        (HOUR_S, 20),
        (DAY_S, 5 * MINUTE_S),
        (7 * DAY_S, HOUR_S),
        (90 * DAY_S, 12 * HOUR_S),
        (365 * DAY_S, 2 * DAY_S),
        (30 * 365 * DAY_S, 60 * DAY_S),
    ],
)
def test_steps_are_chosen(length_s: int, step_s: int) -> None:
    """The step is the narrowest that gives no more points than were asked for."""
    assert span_of(NOW_MS - length_s * 1000, NOW_MS, NOW_MS).step_s == step_s


@given(
    st.integers(0, NOW_MS - 1),
    st.integers(1, 200 * 365 * DAY_S * 1000),
    st.integers(0, NOW_MS),
    st.integers(POINTS_MIN, POINTS_MAX),
)
def test_every_range_has_points(since_ms: int, length_ms: int, now_ms: int, points: int) -> None:
    """Any range is held by whole points, no more than asked for, of buckets that are kept."""
    until_ms = min(since_ms + length_ms, 253_402_300_799_000)
    span = span_of(since_ms, until_ms, now_ms, points=points)

    assert span.since_s * 1000 <= since_ms < (span.since_s + span.step_s) * 1000
    assert (span.until_s - span.step_s) * 1000 < until_ms <= span.until_s * 1000
    assert 1 <= len(span) <= points
    assert span.step_s % span.level.width_s == 0
    assert span.level.oldest(now_ms // 1000) <= span.since_s


@given(
    st.integers(0, 400 * DAY_S),
    st.integers(1, 90 * DAY_S),
    st.integers(1, 90 * DAY_S),
    st.integers(0, 400 * DAY_S),
)
def test_buckets_end_with_a_moment(ago_s: int, length_s: int, part_s: int, age_s: int) -> None:
    """The buckets up to a moment follow each other without a gap, and the last ends closest."""
    since_s = NOW_S - ago_s - length_s
    span = span_of(since_s * 1000, (since_s + length_s) * 1000, NOW_MS)
    end_s = since_s + min(part_s, length_s)
    at_s = span.since_s
    for first, end in span.parts(end_s, NOW_S):
        width_s, start_s = map(int, first.split("/"))
        assert (start_s, width_s) == (at_s, int(end.split("/")[0]))
        assert start_s >= next(level for level in LEVELS if level.width_s == width_s).oldest(NOW_S)
        at_s = int(end.split("/")[1])
    kept = [level.width_s for level in LEVELS if level.oldest(NOW_S) <= end_s]
    assert end_s <= at_s < end_s + max(min(kept), 1)


def test_old_times_have_wide_points() -> None:
    """Of a minute half a year ago there is the hour that it lies in."""
    at_ms = NOW_MS - 180 * DAY_S * 1000
    span = span_of(at_ms, at_ms + 60_000, NOW_MS)

    assert (span.level, span.step_s) == (HOUR, HOUR_S)


@pytest.mark.parametrize(
    ("step_s", "level"), [(1, SECOND), (90, LEVELS[1]), (120, MINUTE), (7 * DAY_S, DAY)]
)
def test_steps_can_be_asked_for(step_s: int, level: object) -> None:
    """A step is made of the widest buckets that it is a whole number of."""
    span = span_of(NOW_MS - 2 * step_s * 1000, NOW_MS, NOW_MS, step_s * 1000)

    assert (span.step_s, span.level) == (step_s, level)


@pytest.mark.parametrize(
    ("since_s", "until_s", "step_ms", "points", "what"),
    [
        (NOW_S, NOW_S, None, POINTS, "has no length"),
        (NOW_S, NOW_S - 1, None, POINTS, "has no length"),
        (NOW_S - 10, NOW_S, None, 1, "1 points cannot be given"),
        (NOW_S - 10, NOW_S, None, POINTS_MAX + 1, "10,001 points cannot be given"),
        (NOW_S - 10, NOW_S, 500, POINTS, "a step of 500 ms"),
        (NOW_S - 10, NOW_S, 0, POINTS, "a step of 0 ms"),
        (NOW_S - 10, NOW_S, -1000, POINTS, "a step of -1000 ms"),
        (0, NOW_S, 1000, POINTS, "1,795,000,000 points of 1 s"),
        (NOW_S - 3 * HOUR_S, NOW_S, 10_000 * 3, POINTS, None),
        (NOW_S - 2 * HOUR_S - 60, NOW_S, 1000, POINTS, "points of 1 s are kept for 2 hours only"),
        (NOW_S - 400 * DAY_S, NOW_S - 399 * DAY_S, 60_000, POINTS, "kept for 7 days only"),
    ],
)
def test_what_cannot_be_answered_for(
    since_s: int, until_s: int, step_ms: int | None, points: int, what: str | None
) -> None:
    """A range or a step that makes no sense, or that there is nothing of any more, is refused."""
    if what is None:
        assert len(span_of(since_s * 1000, until_s * 1000, NOW_MS, step_ms, points)) == 361
        return
    with pytest.raises(WrongUsage, match=what) as caught:
        span_of(since_s * 1000, until_s * 1000, NOW_MS, step_ms, points)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 s"),
        (90, "90 s"),
        (120, "2 minutes"),
        (3600, "1 hour"),
        (86400, "1 day"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_seconds_are_told_in_words(seconds: int, text: str) -> None:
    """A length of time is said in its largest whole unit."""
    assert told(seconds) == text
