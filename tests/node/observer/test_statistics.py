"""Statistics as an observer gives them: of its store, and of what is not in it yet."""

from pathlib import Path

import msgspec
import pytest

from events.entry import Entry
from events.errors import WrongUsage
from events.facts import NodeJoined, NodeJoinedData
from events.log import Record
from events.subjects import NET
from projections.statistics import names
from projections.statistics.bucket import Bucket, decode, encode
from projections.statistics.histogram import total
from projections.statistics.levels import DAY_S, HOUR_S, SECOND
from projections.statistics.series import gauges_of_bucket, totals_of
from tests.node.observer.watched import observing
from tests.projections.conversation import START_MS, Conversation, compute
from tests.projections.statistics.counted import Oracle, count, ever
from tests.projections.story import log_of, story

DAY_MS = DAY_S * 1000


async def test_the_whole_is_what_the_log_tells(tmp_path: Path) -> None:
    """All that stands in the log is counted, also what was folded just now, and after a restart."""
    records = story(1055)
    for _ in range(2):
        async with observing(log_of(records), tmp_path) as observer:
            series = await observer.statistics.series(0, observer.statistics.time_ms + 1)
            whole = await observer.statistics.whole()

        assert whole == ever(records)
        assert series.totals == totals_of(whole)
        assert {name: series.percentiles[name]["count"] for name in names.HISTOGRAMS} == {
            name: total(whole.histograms[name]) for name in names.HISTOGRAMS
        }


async def test_an_empty_log_has_statistics(tmp_path: Path) -> None:
    """Where nothing has happened yet every count is 0, and nothing else is known."""
    async with observing(log_of(()), tmp_path) as observer:
        series = await observer.statistics.series(START_MS, START_MS + 1000)
        whole = await observer.statistics.whole()

    assert observer.statistics.time_ms == 0
    assert {*series.totals.values()} == {0}
    assert series.series["queue"] == [None]
    assert not whole


class Kept(Conversation):
    """A conversation of which all messages are kept."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        super().__init__(nodes=())

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        assert self.last is not None
        self.records.append(self.last)
        return entry


def days_apart() -> Kept:
    """Return a conversation in which nodes join on one day, and another one ten days later."""
    talk = Kept()
    for node in ("n0", "n1"):
        talk.join(node, compute())
    talk.now_ms += 10 * DAY_MS
    talk.tell("n2", NodeJoined, NodeJoinedData(incarnation="a", capabilities=compute()), NET)
    return talk


@pytest.mark.parametrize(
    ("since_ms", "until_ms", "nodes"),
    [
        (-3 * DAY_MS, -DAY_MS, None),
        (DAY_MS, 2 * DAY_MS, 3),
        (9 * DAY_MS + 23 * HOUR_S * 1000, 10 * DAY_MS, 3),
        (10 * DAY_MS + 1000, 10 * DAY_MS + 2000, 4),
        (20 * DAY_MS, 400 * DAY_MS, 4),
    ],
)
async def test_quiet_times_stand_as_before(
    since_ms: int, until_ms: int, nodes: int | None, tmp_path: Path
) -> None:
    """However long nothing has happened, and whichever buckets are left, gauges are known."""
    talk = days_apart()
    log = log_of(tuple(talk.records))
    async with observing(log, tmp_path) as observer:
        series = await observer.statistics.series(START_MS + since_ms, START_MS + until_ms)

    assert {*series.series["nodes"]} == {nodes}
    assert series.totals["events"] == 0


@pytest.mark.parametrize("step_s", [1, 60, HOUR_S, DAY_S])
async def test_a_moment_is_told_to_the_second(step_s: int, tmp_path: Path) -> None:
    """However wide the points are, what happened after a moment is not in the last one."""
    records = story(1055)
    seconds = count(records)[SECOND]
    async with observing(log_of(records), tmp_path) as observer:
        since_ms, newest_ms = START_MS, observer.statistics.time_ms
        for end_ms in range(newest_ms, newest_ms - 600_000, -90_001):
            series = await observer.statistics.series(
                min(since_ms, end_ms), end_ms + 1, step_s * 1000, end_ms=end_ms
            )
            before = Bucket()
            for start, bucket in seconds.items():
                if since_ms // 1000 <= start <= end_ms // 1000:
                    before.add(decode(encode(bucket)))
            assert series.totals == totals_of(before)
            assert series.series["queue"][-1] == gauges_of_bucket(before)["queue"]


async def test_a_moment_long_ago_is_told_as_exactly_as_is_kept(tmp_path: Path) -> None:
    """Of a moment ten days ago, whose minutes are gone, the last ten minutes are told whole."""
    talk = days_apart()
    log = log_of(tuple(talk.records))
    joined_ms = talk.now_ms - 10 * DAY_MS
    before_ms = joined_ms - joined_ms % 600_000
    async with observing(log, tmp_path) as observer:
        for end_ms, events in ((before_ms - 1, 0), (before_ms, 3)):
            series = await observer.statistics.series(
                end_ms - DAY_MS, end_ms + 1, DAY_MS, end_ms=end_ms
            )
            assert series.totals["events"] == events


async def test_a_range_that_is_gone_is_refused(tmp_path: Path) -> None:
    """Seconds of last week are no longer there, which is said."""
    talk = days_apart()
    log = log_of(tuple(talk.records))
    async with observing(log, tmp_path) as observer:
        with pytest.raises(WrongUsage, match="kept for 2 hours only"):
            await observer.statistics.series(START_MS, START_MS + 1000, 1000)


async def test_document_of_a_log_is_json(tmp_path: Path) -> None:
    """The document of a series is JSON that says for each name as many numbers as times."""
    records = story(5)
    async with observing(log_of(records), tmp_path) as observer:
        end_ms = observer.statistics.time_ms
        series = await observer.statistics.series(end_ms - HOUR_S * 1000, end_ms)
    document = msgspec.json.decode(msgspec.json.encode(series.document()))

    assert {len(numbers) for numbers in document["series"].values()} == {len(document["times"])}
    assert document["totals"]["jobs.submitted"] == Oracle(records).counts()["jobs.submitted"]
