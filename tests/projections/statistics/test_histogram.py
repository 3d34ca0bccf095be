"""Histograms: beside the sorted values themselves, and put together in any order."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.statistics.histogram import (
    BOUNDS,
    ERROR,
    LARGEST,
    VALUES,
    Bins,
    binned,
    merge,
    percentiles,
    spread,
    sum_of,
    total,
)

SHARES = (0.0, 0.01, 0.5, 0.9, 0.99, 1.0)
values = st.lists(st.integers(0, 1 << 45) | st.integers(0, 300), max_size=200)


def of(*parts: list[int]) -> Bins:
    bins: Bins = []
    for part in parts:
        merge(bins, binned(part))
    return bins


def test_every_number_is_near_its_bin() -> None:
    """What stands for a bin is within a fiftieth of the bin's first and last number."""
    for low, after, value in zip(BOUNDS, BOUNDS[1:], VALUES, strict=False):
        for number in (low, after - 1):
            assert abs(value - number) * 50 <= number


def test_small_numbers_are_exact() -> None:
    """Numbers up to 50 come back as they were: messages of a job, retries."""
    assert [percentiles(of([number]), [0.5])[0] for number in range(51)] == list(range(51))


@given(values.filter(bool))
def test_percentiles_are_those_of_the_sorted_values(given: list[int]) -> None:
    """Every percentile is within the error of the value at its rank."""
    ranked = sorted(given)
    for share, found in zip(SHARES, percentiles(of(given), SHARES), strict=True):
        exact = ranked[max(1, ceil(share * len(ranked))) - 1]
        assert abs(found - exact) <= ERROR * exact


@given(values, values, values)
def test_parts_are_the_whole(one: list[int], two: list[int], three: list[int]) -> None:
    """Histograms put together, in any order and grouping, are that of all values."""
    whole = of([*one, *two, *three])
    left, right = of(one, two), of(three)
    merge(left, right)

    assert of(three, one, two) == of(one, two, three) == left == whole
    assert total(whole) == len(one) + len(two) + len(three)


@given(values)
def test_spread_tells_all(given: list[int]) -> None:
    """What is spread out by value is in order, without gaps that are counted, and all there is."""
    told = [*spread(of(given))]

    assert [value for value, _ in told] == sorted({value for value, _ in told})
    assert sum(count for _, count in told) == len(given)
    assert all(count > 0 for _, count in told)
    assert sum(value * count for value, count in told) == sum_of(of(given))


@given(values)
def test_sum_is_near(given: list[int]) -> None:
    """The sum is within the error of the sum of the values."""
    assert abs(sum_of(of(given)) - sum(given)) <= ERROR * sum(given)


def test_what_is_out_of_bounds_counts() -> None:
    """A number below 0 counts as 0, one beyond all bounds as the largest."""
    bins = of([-5, 1 << 200])

    assert total(bins) == 2
    assert percentiles(bins, [0.5]) == [0]
    assert percentiles(bins, [1.0])[0] >= LARGEST // 2


def test_nothing_has_no_percentile() -> None:
    """Percentiles of nothing are an error, not a number."""
    with pytest.raises(ValueError, match="nothing"):
        percentiles([], [0.5])
