"""The statistics as they are asked for: over a span of time, and of the whole log."""

from collections.abc import Awaitable, Callable
from contextlib import aclosing

from projections.statistics.bucket import Bucket, decode
from projections.statistics.levels import EVER, EVER_S, key
from projections.statistics.model import NAME
from projections.statistics.series import Points, Series
from projections.statistics.span import BUCKETS, POINTS, Span, span_of
from projections.store import Store


class StatisticsReader:
    """Reads the rows of the statistics.

    `time_ms` gives the newest time that was counted at, and `written` sees to it that what is
    folded is in the rows.
    """

    def __init__(
        self,
        store: Store,
        time_ms: Callable[[], int],
        written: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._time_ms = time_ms
        self._written = written

    @property
    def time_ms(self) -> int:
        """The newest time that was counted at, in ms since the Unix epoch; 0 before any event."""
        return self._time_ms()

    async def series(
        self,
        since_ms: int,
        until_ms: int,
        step_ms: int | None = None,
        *,
        max_points: int = POINTS,
        end_ms: int | None = None,
    ) -> Series:
        """Return what happened from one time to another, widened to whole points.

        Without a step, that of at most `max_points`. What happened after `end_ms` is left out, as
        exactly as the narrowest buckets tell that are kept of that time: to a second of late.
        Raises WrongUsage for a span that cannot be answered for, DatabaseUnusable.
        """
        span = span_of(since_ms, until_ms, self.time_ms, step_ms, max_points)
        await self._written()
        points = Points(span)
        end_s = span.until_s if end_ms is None else end_ms // 1000 + 1
        for first, end in span.parts(end_s, self.time_ms // 1000):
            async with aclosing(self._store.between(NAME, first, end)) as rows:
                async for part in rows:
                    for name, body in part:
                        points.add(start_of(name), decode(body))
        return points.series(await self._before(span))

    async def first_ms(self) -> int:
        """Return when the first event was counted, to the length of the buckets that are left.

        0 before any event. Raises DatabaseUnusable.
        """
        await self._written()
        first, within_s = 0, EVER_S
        for level in reversed(BUCKETS):
            found = await self._store.first(NAME, key(level, first), key(level, first + within_s))
            if found is None:
                break
            first, within_s = start_of(found[0]), level.width_s
        return first * 1000

    async def whole(self) -> Bucket:
        """Return what happened in all of the log; its counts only grow. Raises DatabaseUnusable."""
        body = await self._store.row(NAME, key(EVER, 0))
        return decode(body) if body is not None else Bucket()

    async def _before(self, span: Span) -> Bucket | None:
        """Return the last bucket that was over when a span begins: how things stood then."""
        for level, behind in span.before:
            found = await self._store.newest(NAME, behind, 1)
            if found and found[0][0] >= key(level, 0):
                return decode(found[0][1])
        return None


def start_of(name: str) -> int:
    """Return the second in which the bucket of a row begins."""
    return int(name.partition("/")[2])
