"""Series over time: the buckets of a span put together to points, to totals and to percentiles."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from events.times import rfc3339
from projections.statistics import histogram, names
from projections.statistics.bucket import Bucket
from projections.statistics.span import Span

SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}

Number = int | float | None
"""None where it is not known: of gauges before the log begins, of percentiles of nothing."""


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers by name, one for each time, which is when a point begins.

    A count is of what happened from then until the next time; a gauge says how things stood at the
    end of it, and one that ends in `.max` the most that it came to. `totals` are those of all
    counts over the whole span, and `percentiles` those of all values in it, with their count.
    """

    since_ms: int
    until_ms: int
    step_ms: int
    times: list[int]
    series: dict[str, list[Number]]
    totals: dict[str, int]
    percentiles: dict[str, dict[str, Number]]

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it: times in RFC 3339."""
        return {
            "since": rfc3339(self.since_ms),
            "until": rfc3339(self.until_ms),
            "step_s": self.step_ms // 1000,
            "times": [rfc3339(time_ms) for time_ms in self.times],
            "series": self.series,
            "totals": self.totals,
            "percentiles": self.percentiles,
        }


class Points:
    """The buckets of a span, as they are read."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self._points: list[Bucket | None] = [None] * len(span)

    def add(self, start_s: int, bucket: Bucket) -> None:
        """Put a bucket to its point; they come in the order of time."""
        number = self.span.point(start_s)
        known = self._points[number]
        if known is None:
            self._points[number] = bucket
        else:
            known.add(bucket)

    def series(self, before: Bucket | None) -> Series:
        """Return the series; `before` is the last bucket that was over when the span begins."""
        span = self.span
        whole = Bucket()
        for point in self._points:
            if point is not None:
                whole.add(point)
        points = [point or Bucket() for point in self._points]
        series: dict[str, list[Number]] = {names.EVENTS: [_events(point) for point in points]}
        for name in (*names.COUNTS, *_found(whole, names.COUNTS)):
            series[name] = [point.counts.get(name, 0) for point in points]
        series |= _gauges(self._points, before or Bucket())
        for name in names.HISTOGRAMS:
            found = [_percentiles(point.histograms.get(name, [])) for point in points]
            for share in SHARES:
                series[f"{name}.{share}"] = [each[share] for each in found]
        return Series(
            since_ms=span.since_s * 1000,
            until_ms=span.until_s * 1000,
            step_ms=span.step_s * 1000,
            times=[(span.since_s + number * span.step_s) * 1000 for number in range(len(span))],
            series=series,
            totals=totals_of(whole),
            percentiles=percentiles_of(whole),
        )


def totals_of(bucket: Bucket) -> dict[str, int]:
    """Return all counts of a bucket by name, also those that are 0, and `events` of all types."""
    counts = bucket.counts
    made = {names.EVENTS: _events(bucket)}
    for name in (*names.COUNTS, *_found(bucket, names.COUNTS)):
        made[name] = counts.get(name, 0)
    return made


def percentiles_of(bucket: Bucket) -> dict[str, dict[str, Number]]:
    """Return the percentiles of all histograms of a bucket, with how many values there were."""
    made: dict[str, dict[str, Number]] = {}
    for name in names.HISTOGRAMS:
        bins = bucket.histograms.get(name, [])
        made[name] = {**_percentiles(bins), "count": histogram.total(bins)}
    return made


def gauges_of_bucket(bucket: Bucket) -> dict[str, Number]:
    """Return the gauges of a bucket by name, in whole units; None where one is not known."""
    return {name: _gauge(name, bucket.gauges.get(name)) for name in names.GAUGES}


def _events(bucket: Bucket) -> int:
    return sum(n for name, n in bucket.counts.items() if name.startswith(names.EVENT))


def _found(bucket: Bucket, known: Sequence[str]) -> Iterable[str]:
    """Return the names of counts that are there because of what happened: types and classes."""
    return sorted(bucket.counts.keys() - set(known))


def _percentiles(bins: histogram.Bins) -> dict[str, Number]:
    if not bins:
        return dict.fromkeys(SHARES)
    return dict(zip(SHARES, histogram.percentiles(bins, [*SHARES.values()]), strict=True))


def _gauges(points: Iterable[Bucket | None], before: Bucket) -> dict[str, list[Number]]:
    """Return the gauges; where nothing happened they stand as before."""
    made: dict[str, list[Number]] = {name: [] for name in (*names.GAUGES, *names.PEAKS.values())}
    stand = before.gauges
    for point in points:
        peaks = stand
        if point is not None:
            stand, peaks = point.gauges, point.peaks
        for name in names.GAUGES:
            made[name].append(_gauge(name, stand.get(name)))
        for name, peak in names.PEAKS.items():
            made[peak].append(_gauge(name, peaks.get(name)))
    return made


def _gauge(name: str, value: int | None) -> Number:
    return value / 1000 if value is not None and name in names.IN_THOUSANDTHS else value
