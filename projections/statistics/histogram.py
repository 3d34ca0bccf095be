"""Histograms of whole numbers, from 0 on; the sum of two is that of all their values.

The bins are the same in every histogram. Small numbers have a bin each; from there on a bin is 4 %
wide, so that its middle is within `ERROR` of whatever was counted in it. The bounds are worked out
in whole numbers, and so are equal on every machine.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from math import ceil
from operator import add, mul

Bins = list[int]
"""The number of the first bin that has values, and then how many are in it and in each that
follows, up to the last that has any; nothing when there are none."""

ERROR = 0.02
"""A percentile is off by at most so much of what it should be."""
LARGEST = 1 << 60
"""What is larger counts as this."""


def _bounds() -> tuple[int, ...]:
    """Return where each bin begins: a bin of more than one number is at most 4 % wide."""
    bounds = [0]
    while bounds[-1] < LARGEST:
        bounds.append(max(bounds[-1] + 1, bounds[-1] * 26 // 25))
    return tuple(bounds)


BOUNDS = _bounds()
VALUES = tuple((low + high - 1) // 2 for low, high in pairwise(BOUNDS))
"""What stands for each bin: its middle."""
_LAST = len(VALUES) - 1


def binned(values: Iterable[int]) -> Bins:
    """Return the histogram of values; what is below 0 counts as 0."""
    numbers = [min(bisect_right(BOUNDS, value) - 1, _LAST) if value > 0 else 0 for value in values]
    if not numbers:
        return []
    first = min(numbers)
    bins = [0] * (max(numbers) - first + 2)
    bins[0] = first
    for number in numbers:
        bins[number - first + 1] += 1
    return bins


def merge(bins: Bins, more: Bins) -> None:
    """Add the values of another histogram."""
    if not bins or not more:
        bins += more
        return
    below = bins[0] - more[0]
    if below > 0:
        bins[:1] = [more[0], *[0] * below]
    start = max(0, -below) + 1
    end = start + len(more) - 1
    bins += [0] * (end - len(bins))
    bins[start:end] = map(add, bins[start:end], more[1:])


def spread(bins: Bins) -> Iterator[tuple[int, int]]:
    """Yield the value that stands for each bin, in rising order, and how many it has, if any."""
    for number, count in enumerate(bins[1:], bins[0] if bins else 0):
        if count:
            yield VALUES[number], count


def total(bins: Bins) -> int:
    """Return how many values were counted."""
    return sum(bins[1:])


def sum_of(bins: Bins) -> int:
    """Return the sum of all values, within `ERROR`."""
    return sum(map(mul, VALUES[bins[0] :], bins[1:])) if bins else 0


def percentiles(bins: Bins, shares: Sequence[float]) -> list[int]:
    """Return, for each share, a value that so much of all values do not exceed.

    The nearest-rank definition: 0.5 of three values is the second. Raises ValueError when nothing
    was counted.
    """
    if not bins:
        raise ValueError("nothing was counted")
    reached = list(accumulate(bins[1:]))
    ranks = (max(1, ceil(share * reached[-1])) for share in shares)
    return [VALUES[bins[0] + bisect_left(reached, rank)] for rank in ranks]
