"""What happened in a span of time, by name; and two spans put together."""

from collections.abc import Mapping

import msgspec

from projections.statistics import histogram
from projections.statistics.histogram import Bins


class Bucket(msgspec.Struct):
    """Counts, histograms, gauges as they stood at the end, and the peaks of gauges.

    A count that is not there is 0, a gauge that is not there is not known.
    """

    counts: dict[str, int] = {}
    histograms: dict[str, Bins] = {}
    gauges: dict[str, int] = {}
    peaks: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self.counts or self.gauges)

    def add(self, later: "Bucket") -> None:
        """Put what happened later, or the last part of it, to this."""
        counts, peaks = self.counts, self.peaks
        for name, count in later.counts.items():
            counts[name] = counts.get(name, 0) + count
        for name, bins in later.histograms.items():
            histogram.merge(self.histograms.setdefault(name, {}), bins)
        self.gauges.update(later.gauges)
        for name, peak in later.peaks.items():
            peaks[name] = max(peak, peaks.get(name, peak))


class _Row(msgspec.Struct, omit_defaults=True):
    """A bucket as it is stored: of a histogram, bin and count by turns."""

    counts: dict[str, int]
    histograms: dict[str, list[int]] = {}
    gauges: dict[str, int] = {}
    peaks: dict[str, int] = {}


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(_Row).decode


def encode(bucket: Bucket) -> bytes:
    """Return a bucket as JSON: equal bytes for equal buckets."""
    return _encode(
        _Row(
            bucket.counts,
            {name: _flat(bins) for name, bins in bucket.histograms.items()},
            bucket.gauges,
            bucket.peaks,
        )
    )


def decode(body: bytes) -> Bucket:
    """Return the bucket that was written."""
    row = _decode(body)
    histograms = {name: _bins(flat) for name, flat in row.histograms.items()}
    return Bucket(row.counts, histograms, row.gauges, row.peaks)


def _flat(bins: Mapping[int, int]) -> list[int]:
    return [number for pair in sorted(bins.items()) for number in pair]


def _bins(flat: list[int]) -> Bins:
    return dict(zip(flat[::2], flat[1::2], strict=True))
