"""Histograms of whole numbers, from 0 on: sparse, and the sum of two is that of all their values.

The bins are the same in every histogram. Small numbers have a bin each; from there on a bin is 4 %
wide, so that its middle is within `ERROR` of whatever was counted in it. The bounds are worked out
in whole numbers, and so are equal on every machine.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil

Bins = dict[int, int]
"""How many values lie in a bin, by its number; bins without values are left out."""

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


def add(bins: Bins, values: Iterable[int]) -> None:
    """Count values; what is below 0 counts as 0."""
    for value in values:
        number = min(bisect_right(BOUNDS, value) - 1, _LAST) if value > 0 else 0
        bins[number] = bins.get(number, 0) + 1


def merge(bins: Bins, more: Bins) -> None:
    """Add the values of another histogram."""
    for number, count in more.items():
        bins[number] = bins.get(number, 0) + count


def total(bins: Bins) -> int:
    """Return how many values were counted."""
    return sum(bins.values())


def sum_of(bins: Bins) -> int:
    """Return the sum of all values, within `ERROR`."""
    return sum(VALUES[number] * count for number, count in bins.items())


def percentiles(bins: Bins, shares: Sequence[float]) -> list[int]:
    """Return, for each share, in rising order, a value that so much of all values do not exceed.

    The nearest-rank definition: 0.5 of three values is the second. Raises ValueError when nothing
    was counted.
    """
    count = total(bins)
    if not count:
        raise ValueError("nothing was counted")
    ranks = [max(1, ceil(share * count)) for share in shares]
    found: list[int] = []
    seen = 0
    for number in sorted(bins):
        seen += bins[number]
        while len(found) < len(ranks) and seen >= ranks[len(found)]:
            found.append(VALUES[number])
    return found
