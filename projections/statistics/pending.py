"""What was counted and is not in any row yet, by level.

An event is counted once, in the finest level. When a bucket is over it is put to the wider one
that it lies in, so that each event costs one bucket and not one of every width.
"""

from collections.abc import Iterable

from projections.statistics.bucket import Bucket
from projections.statistics.levels import LEVELS, Level

Place = tuple[Level, int]
"""A bucket: of which level, and the second in which it begins."""
Counted = dict[Place, Bucket]
"""What is to be put to the stored bucket at each place; in the order of time within a level."""


class Pending:
    """Of the newest bucket of each level what is not in a finer one, and the buckets before."""

    def __init__(self) -> None:
        self._done: Counted = {}
        self._starts = [0] * len(LEVELS)
        self._parts = [Bucket() for _ in LEVELS]

    def __len__(self) -> int:
        return len(self._done)

    def roll(self, at_s: int) -> None:
        """Begin the buckets that a second lies in, but for those that it is in already."""
        over = Bucket()
        for number, level in enumerate(LEVELS):
            part = self._parts[number]
            part.add(over)
            start = level.start(at_s)
            if start == self._starts[number]:
                break
            if part:
                self._put((level, self._starts[number]), part)
            self._starts[number] = start
            self._parts[number] = Bucket()
            over = part

    def add(self, part: Bucket) -> None:
        """Count what happened in the second that was begun last."""
        self._parts[0].add(part)

    def take(self) -> Counted:
        """Hand over all that was counted, and begin again."""
        over = Bucket()
        for number, level in enumerate(LEVELS):
            part = self._parts[number]
            part.add(over)
            if part:
                self._put((level, self._starts[number]), part)
            self._parts[number] = Bucket()
            over = part
        taken, self._done = self._done, {}
        return taken

    def forget(self) -> None:
        """Drop all that was counted."""
        self._done = {}
        self._parts = [Bucket() for _ in LEVELS]

    def give_back(self, counted: Counted) -> None:
        """Take again what was handed over: it comes before what was counted since."""
        later, self._done = self._done, counted
        for place, bucket in later.items():
            self._put(place, bucket)

    def _put(self, place: Place, bucket: Bucket) -> None:
        known = self._done.get(place)
        if known is None:
            self._done[place] = bucket
        else:
            known.add(bucket)


def kept(counted: Counted, now_s: int) -> Iterable[tuple[Place, Bucket]]:
    """Yield what is still kept when the newest event is of `now_s`."""
    oldest = {level: level.oldest(now_s) for level in LEVELS}
    for place, bucket in counted.items():
        level, start = place
        if start >= oldest[level]:
            yield place, bucket
