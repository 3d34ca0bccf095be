"""Which buckets answer for a span of time, and the points that they are put together to."""

from itertools import zip_longest
from typing import NamedTuple

from events.errors import WrongUsage
from events.times import FIRST_MS, LAST_MS, rfc3339
from projections.statistics.levels import DAY, DAY_S, EVER, HOUR_S, LEVELS, MINUTE_S, Level, key

POINTS = 300
POINTS_MIN = 2
"""Whatever is short may lie on both sides of where a point ends."""
POINTS_MAX = 10_000

STEPS_S = (
    *(1, 2, 5, 10, 20, 30),
    *(MINUTE_S * many for many in (1, 2, 5, 10, 20, 30)),
    *(HOUR_S * many for many in (1, 2, 3, 6, 12)),
    *(DAY_S * many for many in (1, 2, 5, 10, 20, 30, 60, 90, 180, 365)),
)
"""The widths of points that are chosen among; each is a whole number of some level's buckets."""

BUCKETS = LEVELS[: LEVELS.index(EVER)]
"""The levels that have more than one bucket."""


class Span(NamedTuple):
    """Points of `step_s` seconds from `since_s` until `until_s`, made of the buckets of a level."""

    since_s: int
    until_s: int
    step_s: int
    level: Level

    def __len__(self) -> int:
        return (self.until_s - self.since_s) // self.step_s

    def parts(self, end_s: int, now_s: int) -> list[tuple[str, str]]:
        """Return where its buckets are up to a time: from which key on, and before which.

        The bucket that the time lies in is told by narrower ones, as far as they are kept still
        when the newest event is of `now_s`. The last of these reaches as far as it does.
        """
        end_s = min(end_s, self.until_s)
        start_s, found = self.since_s, []
        levels = [level for level in reversed(BUCKETS) if level.width_s <= self.level.width_s]
        for level, narrower in zip_longest(levels, levels[1:]):
            stop_s = level.start(end_s)
            if narrower is None or narrower.oldest(now_s) > stop_s:
                stop_s = level.start(end_s + level.width_s - 1)
            if stop_s > start_s:
                found.append((key(level, start_s), key(level, stop_s)))
                start_s = stop_s
            if start_s >= end_s:
                break
        return found

    def point(self, start_s: int) -> int:
        """Return the number of the point that a bucket lies in."""
        return (start_s - self.since_s) // self.step_s

    @property
    def before(self) -> list[tuple[Level, str]]:
        """Where to look for the last bucket that ended before this began: behind which keys."""
        levels = BUCKETS[BUCKETS.index(self.level) :]
        ends = [(level, self.since_s - level.width_s + 1) for level in levels]
        return [(level, key(level, end)) for level, end in ends if end > 0]


def span_of(
    since_ms: int,
    until_ms: int,
    now_ms: int,
    step_ms: int | None = None,
    points: int = POINTS,
) -> Span:
    """Return the span that holds these times, in whole points; `now_ms` is the newest event's.

    Without a step the narrowest is chosen that gives no more than `points`, and of which there
    are buckets still. Raises WrongUsage for a span that cannot be answered for.
    """
    since_ms, until_ms = max(0, since_ms), max(0, until_ms)
    if not FIRST_MS <= since_ms < until_ms <= LAST_MS:
        raise WrongUsage(
            f"the range from {rfc3339(since_ms)} to {rfc3339(until_ms)} has no length",
            hint="choose a --since that lies before --until",
        )
    if not POINTS_MIN <= points <= POINTS_MAX:
        raise WrongUsage(
            f"{points:,} points cannot be given",
            hint=f"ask for {POINTS_MIN} to {POINTS_MAX:,} points",
        )
    now_s = now_ms // 1000
    if step_ms is None:
        return _chosen(since_ms, until_ms, now_s, points)
    return _asked(since_ms, until_ms, now_s, step_ms)


def _chosen(since_ms: int, until_ms: int, now_s: int, points: int) -> Span:
    widest = -(-(until_ms - since_ms) // (1000 * DAY_S * (points - 1)))
    for step_s in (*STEPS_S, DAY_S * max(widest, 1)):
        span = _span(since_ms, until_ms, now_s, step_s)
        if span is not None and len(span) <= points:
            return span
    return Span(*_edges(since_ms, until_ms, DAY_S * (widest + 1)), DAY_S * (widest + 1), DAY)


def _asked(since_ms: int, until_ms: int, now_s: int, step_ms: int) -> Span:
    step_s = step_ms // 1000
    if step_ms % 1000 or step_s < 1:
        raise WrongUsage(
            f"a step of {step_ms} ms cannot be given", hint="choose whole seconds, from 1 on"
        )
    count = -(-(until_ms - since_ms) // step_ms)
    if count > POINTS_MAX:
        raise WrongUsage(
            f"the range has {count:,} points of {told(step_s)}, and {POINTS_MAX:,} can be given",
            hint="choose a longer step, or a later --since",
        )
    span = _span(since_ms, until_ms, now_s, step_s)
    if span is not None:
        return span
    level = max((level for level in BUCKETS if not step_s % level.width_s), key=_width)
    raise WrongUsage(
        f"points of {told(step_s)} are kept for {told(level.keep_s)} only, and not from"
        f" {rfc3339(since_ms)} on",
        hint="choose a longer step, or a later --since",
    )


def _span(since_ms: int, until_ms: int, now_s: int, step_s: int) -> Span | None:
    """Return the span of these points, None when no level has all of its buckets still."""
    since_s, until_s = _edges(since_ms, until_ms, step_s)
    fitting = [level for level in BUCKETS if not step_s % level.width_s]
    kept = [level for level in fitting if level.oldest(now_s) <= since_s]
    return Span(since_s, until_s, step_s, max(kept, key=_width)) if kept else None


def _edges(since_ms: int, until_ms: int, step_s: int) -> tuple[int, int]:
    """Return whole points that hold the range."""
    step_ms = 1000 * step_s
    return since_ms // step_ms * step_s, -(-until_ms // step_ms) * step_s


def _width(level: Level) -> int:
    return level.width_s


def told(seconds: int) -> str:
    """Return a number of seconds as people say it: `2 hours`, `1 day`, `90 s`."""
    for unit_s, unit in (
        (365 * DAY_S, "year"),
        (DAY_S, "day"),
        (HOUR_S, "hour"),
        (MINUTE_S, "minute"),
    ):
        if seconds >= unit_s and not seconds % unit_s:
            many = seconds // unit_s
            return f"{many:,} {unit}{'s' if many > 1 else ''}"
    return f"{seconds:,} s"
