"""Buckets of all widths: whatever was counted when, the wide ones hold what the narrow ones do."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.statistics.bucket import Bucket, decode, encode
from projections.statistics.levels import DAY_S, EVER, LEVELS, SECOND, Level, key
from projections.statistics.pending import Counted, Pending, kept
from tests.projections.statistics.counted import Buckets, count
from tests.projections.story import story

steps = st.lists(
    st.tuples(
        st.integers(0, 40) | st.integers(0, 3 * DAY_S), st.sampled_from(["go", "take", "fail"])
    ),
    max_size=60,
)


def played(events: list[tuple[int, str]]) -> Buckets:
    """Count one thing after each of these waits; now and then take it, perhaps in vain."""
    pending, at_s = Pending(), 1_795_000_000
    buckets: Buckets = {level: {} for level in LEVELS}

    def write(counted: Counted) -> None:
        for (level, start), bucket in counted.items():
            buckets[level].setdefault(start, Bucket()).add(bucket)

    for number, (wait_s, then) in enumerate(events, 1):
        at_s += wait_s
        pending.roll(at_s)
        pending.add(Bucket({"n": 1}, {"h": [number, 1]}, {"g": number}, {"g": number % 7}))
        if then == "take":
            write(pending.take())
        elif then == "fail":
            pending.give_back(pending.take())
    write(pending.take())
    return buckets


def wider(narrow: dict[int, Bucket], level: Level) -> dict[int, Bucket]:
    """Return the buckets of a wider level that narrower ones give."""
    made: dict[int, Bucket] = {}
    for start, bucket in sorted(narrow.items()):
        made.setdefault(level.start(start), Bucket()).add(bucket)
    return made


@given(steps)
def test_wide_buckets_hold_the_narrow_ones(events: list[tuple[int, str]]) -> None:
    """However it was counted, taken and given back, each level is the roll-up of the one below."""
    buckets = played(events)
    for narrow, wide in pairwise(LEVELS):
        assert wider(buckets[narrow], wide) == buckets[wide]
    assert sum(bucket.counts["n"] for bucket in buckets[EVER].values()) == len(events)


@given(steps)
def test_taking_changes_nothing(events: list[tuple[int, str]]) -> None:
    """What is written bit by bit is what is written at once."""
    assert played(events) == played([(wait_s, "go") for wait_s, _ in events])


@pytest.mark.parametrize("seed", [5, 1055])
def test_levels_of_a_log_agree(seed: int) -> None:
    """In a real log, too, each level is the roll-up of the one below."""
    buckets = count(story(seed))
    for narrow, wide in pairwise(LEVELS):
        assert wider(buckets[narrow], wide) == buckets[wide]


def test_widths_divide_each_other() -> None:
    """Each level's buckets lie within those of the next, which are kept no shorter."""
    for narrow, wide in pairwise(LEVELS):
        assert wide.width_s % narrow.width_s == 0
        assert not wide.keep_s or wide.keep_s > narrow.keep_s > 0


@given(st.sampled_from(LEVELS), st.integers(0, 1 << 33), st.integers(0, 400 * DAY_S))
def test_what_is_no_longer_kept_is_named_once(level: Level, before_s: int, wait_s: int) -> None:
    """What goes between two times is what was kept at the first and is not at the second."""
    now_s = before_s + wait_s
    gone = [*level.gone(before_s, now_s)]
    newest = level.start(before_s)

    assert len(gone) <= (level.keep_s // level.width_s + 1 if level.keep_s else 0)
    if gone:
        assert gone[0] == level.oldest(before_s)
        assert gone[-1] == min(newest, level.oldest(now_s) - level.width_s)
    elif level.keep_s:
        assert level.oldest(now_s) == level.oldest(before_s)


def test_old_buckets_are_not_written() -> None:
    """Of a long log that is counted at once, the seconds of long ago are not even written."""
    counted: Counted = {(level, 0): Bucket({"n": 1}) for level in LEVELS}

    assert {place[0] for place, _ in kept(counted, 2 * DAY_S)} == {*LEVELS} - {*LEVELS[:2]}


def test_keys_are_in_the_order_of_time() -> None:
    """Rows of one level stand together, the oldest first."""
    starts = [0, 9, 10, 1_795_000_000]
    keys = [key(level, start) for level in LEVELS for start in starts]

    assert keys == sorted(keys)
    assert key(SECOND, 5) == "000000000001/000000000005"


@given(steps)
def test_rows_read_back(events: list[tuple[int, str]]) -> None:
    """A bucket that was written is read as it was, and equal buckets are equal bytes."""
    for buckets in played(events).values():
        for bucket in buckets.values():
            assert decode(encode(bucket)) == bucket
            assert encode(decode(encode(bucket))) == encode(bucket)
