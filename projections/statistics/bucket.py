"""What happened in a span of time, by name; and two spans put together."""

import msgspec

from projections.statistics import histogram
from projections.statistics.histogram import Bins


class Bucket(msgspec.Struct, omit_defaults=True):
    """Counts, histograms, gauges as they stood at the end, and the most that gauges came to.

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
            histogram.merge(self.histograms.setdefault(name, []), bins)
        self.gauges.update(later.gauges)
        for name, peak in later.peaks.items():
            peaks[name] = max(peak, peaks.get(name, peak))


_encode = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(Bucket).decode


def encode(bucket: Bucket) -> bytes:
    """Return a bucket as JSON: equal bytes for equal buckets."""
    return _encode(bucket)


def decode(body: bytes) -> Bucket:
    """Return the bucket that was written."""
    return _decode(body)
