"""Series: sums of what stands in the log between two times, whatever the width of the points."""

from collections import Counter
from collections.abc import Iterable

import pytest

from events.log import Record
from projections.network import Network
from projections.statistics import names
from projections.statistics.bucket import Bucket
from projections.statistics.fold import Fold
from projections.statistics.histogram import ERROR
from projections.statistics.levels import DAY_S, SECOND
from projections.statistics.series import Points, Series
from projections.statistics.span import BUCKETS, Span
from tests.projections.statistics.counted import Oracle, count
from tests.projections.story import story

SEED = 1055


def series_of(records: Iterable[Record], step_s: int, level: object, before_s: int = 0) -> Series:
    """Return the series of a log, from a while before its first event to its last."""
    buckets = count(records)
    seconds = sorted(buckets[SECOND])
    since_s = (seconds[0] - before_s) // step_s * step_s
    until_s = -(-(seconds[-1] + 1) // step_s) * step_s
    span = Span(since_s, until_s, step_s, next(each for each in BUCKETS if each == level))
    points = Points(span)
    for start, bucket in sorted(buckets[span.level].items()):
        points.add(start, bucket)
    return points.series(None)


@pytest.mark.parametrize("level", BUCKETS)
def test_all_levels_tell_the_same(level: object) -> None:
    """Of whichever buckets a series is made, it tells the same of the same points."""
    step_s = 2 * DAY_S

    assert series_of(story(SEED), step_s, level) == series_of(story(SEED), step_s, SECOND)


@pytest.mark.parametrize("step_s", [1, 7, 60])
def test_points_add_up(step_s: int) -> None:
    """The points of a count add up to its total, which is the oracle's."""
    series = series_of(story(SEED), step_s, SECOND)
    counts = Oracle(story(SEED)).counts()
    kinds = sum(n for name, n in counts.items() if name.startswith("events."))

    assert series.totals == {
        **dict.fromkeys(names.COUNTS, 0),
        **counts,
        "events": kinds,
    }
    for name, total in series.totals.items():
        assert sum(value or 0 for value in series.series[name]) == total
    assert {len(values) for values in series.series.values()} == {len(series.times)}


def test_gauges_are_carried_on() -> None:
    """Where nothing happened things stand as before; before the log begins nobody knows."""
    series = series_of(story(SEED), 1, SECOND, before_s=5)
    by_time: dict[int, dict[str, int]] = {}
    most = Counter[str]()
    network = Network()
    fold = Fold(network)
    for record in story(SEED):
        fold.note(record, network.fold(record), network)
        by_time[fold.clock_ms // 1000 * 1000] = fold.gauges.values()
        most |= Counter(fold.gauges.values())
    stand: dict[str, int] = {}
    for at, time_ms in enumerate(series.times):
        stand = by_time.get(time_ms, stand)
        for name in names.GAUGES:
            value = series.series[name][at]
            expected = stand.get(name)
            if expected is not None and name in names.IN_THOUSANDTHS:
                assert value == expected / 1000
            else:
                assert value == expected

    assert series.series["queue"][:5] == [None] * 5
    for name, peak in names.PEAKS.items():
        unit = 1000 if name in names.IN_THOUSANDTHS else 1
        assert max(value or 0 for value in series.series[peak]) * unit == most[name]


def test_what_was_before_is_carried_in() -> None:
    """A span in which nothing happened stands as the last bucket before it left things."""
    points = Points(Span(0, 30, 10, BUCKETS[1]))
    before = Bucket({}, {}, {"queue": 4, "used.cpu": 1500}, {"queue": 9, "used.cpu": 9000})
    series = points.series(before)

    assert series.series["queue"] == series.series["queue.max"] == [4, 4, 4]
    assert series.series["used.cpu"] == series.series["used.cpu.max"] == [1.5, 1.5, 1.5]
    assert series.series["nodes"] == [None, None, None]
    assert series.series["latency.run.p50"] == [None, None, None]
    assert series.percentiles["latency.run"] == {"p50": None, "p90": None, "p99": None, "count": 0}


def test_percentiles_of_a_range_are_those_of_its_values() -> None:
    """Percentiles over many points are those of all their values, within the error."""
    series = series_of(story(SEED), 1, SECOND)
    samples = Oracle(story(SEED)).samples
    for name, found in series.percentiles.items():
        values = sorted(samples[name])
        assert found["count"] == len(values)
        for share, percent in (("p50", 50), ("p90", 90), ("p99", 99)):
            exact = values[max(1, -(-len(values) * percent // 100)) - 1]
            assert abs((found[share] or 0) - exact) <= ERROR * exact
    assert {*series.percentiles} == {*names.HISTOGRAMS}


def test_document_is_plain() -> None:
    """As JSON has it, a series has its times in RFC 3339 and its step in seconds."""
    document = Points(Span(0, 20, 10, BUCKETS[1])).series(None).document()

    assert document["since"] == "1970-01-01T00:00:00.000Z"
    assert document["until"] == "1970-01-01T00:00:20.000Z"
    assert document["step_s"] == 10
    assert document["times"] == ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:10.000Z"]
    assert {*names.COUNTS, "events", "queue.max", "latency.total.p99"} <= {*document["series"]}
    assert {*document["totals"]} >= {*names.COUNTS}
