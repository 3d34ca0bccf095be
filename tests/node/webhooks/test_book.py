"""The books of a webhook: order in each job, nothing left out, whatever fails or crashes."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.log import Record
from node.webhooks.book import (
    IN_FLIGHT_MAX,
    LATE_IN_FLIGHT_MAX,
    LATE_MAX,
    WINDOW_EVENTS,
    Book,
    Pace,
    Read,
    Send,
)

PACE = Pace(first_ms=1_000, longest_ms=8_000, give_up_ms=100_000)


def event(position: int) -> Record:
    return Record(position, f"lota.ev.{position}", b"{}")


class World:
    """A log, a receiver that remembers, and the books between them; a crash loses the books."""

    def __init__(self, pace: Pace = PACE) -> None:
        self.log: list[tuple[str, Record]] = []
        self.taken: dict[str, list[int]] = defaultdict(list)
        self.saved: tuple[int, dict[str, int]] = (0, {})
        self.fed = 0
        self.now_ms = 0
        self.under_way: list[Send | Read] = []
        self.ends: list[int] = []
        self.pace = pace
        self.life: set[int] = set()
        self.book = Book(0, {}, pace=pace)

    def append(self, *jobs: str) -> None:
        for job in jobs:
            self.log.append((job, event(len(self.log) + 1)))

    def feed(self, count: int = 1_000_000) -> None:
        """Take the next events, if the books have room."""
        batch = self.log[self.fed : self.fed + count]
        if self.book.room and batch:
            self.fed += len(batch)
            self.book.feed(batch, self.fed)

    def begin(self) -> bool:
        """Begin what the books say."""
        step = self.book.next(self.now_ms)
        if step is None:
            return False
        if isinstance(step, Send):
            earlier = [r.position for job, r in self.log if job == step.job]
            earlier = earlier[: earlier.index(step.record.position)]
            assert set(earlier) <= set(self.taken[step.job]), f"{step} before {earlier}"
        self.under_way.append(step)
        self.ends.append(len(self.log))
        assert len(self.under_way) <= IN_FLIGHT_MAX
        assert len({step.job for step in self.under_way}) == len(self.under_way)
        return True

    def end(self, index: int = 0, *, well: bool = True, some: int = 1_000_000) -> None:
        """Let something that is under way come to its end."""
        index %= len(self.under_way)
        step, log_end = self.under_way.pop(index), self.ends.pop(index)
        if isinstance(step, Read):
            if not well:
                self.book.postponed(step.job, self.now_ms)
                return
            found = [
                record
                for job, record in self.log[:log_end]
                if job == step.job and record.position > step.after
            ]
            upto = found[:some][-1].position if found else step.after
            self.book.refilled(step.job, found[:some], upto, complete=len(found) <= some)
        elif well:
            assert step.record.position not in self.life, "sent twice without need"
            self.life.add(step.record.position)
            self.taken[step.job].append(step.record.position)
            self.book.accepted(step.job, self.now_ms)
        else:
            self.book.failed(step.job, self.now_ms, chance=0.5)

    def save(self) -> None:
        """Keep the standing; it must claim nothing that the receiver has not taken."""
        position, late = self.saved = self.book.standing()
        assert position <= self.fed
        for job, record in self.log:
            if record.position <= late.get(job, position):
                assert record.position in self.taken[job], f"{record} is left out by {self.saved}"

    def crash(self) -> None:
        """Begin again from what was saved last."""
        self.book = Book(*self.saved, pace=self.pace)
        self.life.clear()
        self.fed = self.saved[0]
        self.under_way, self.ends = [], []

    def finish(self) -> None:
        """Let all go well until nothing is left to do."""
        while True:
            self.feed()
            while self.begin():
                pass
            if self.under_way:
                self.end()
            elif self.fed < len(self.log):
                assert self.book.wake_ms() is not None
                self.now_ms += 10_000
            elif (due_ms := self.book.wake_ms()) is not None:
                self.now_ms = max(self.now_ms, due_ms)
            else:
                return


jobs = st.sampled_from("abc")
moves = st.one_of(
    st.tuples(st.just("append"), st.lists(jobs, min_size=1, max_size=6)),
    st.tuples(st.just("feed"), st.integers(1, 6)),
    st.tuples(st.just("begin"), st.just(0)),
    st.tuples(st.just("begin"), st.just(0)),
    st.tuples(st.just("well"), st.tuples(st.integers(0, 7), st.integers(1, 3))),
    st.tuples(st.just("badly"), st.integers(0, 7)),
    st.tuples(st.just("wait"), st.integers(1, 9)),
    st.tuples(st.just("save"), st.just(0)),
    st.tuples(st.just("crash"), st.just(0)),
)


@settings(max_examples=250, deadline=None)
@given(st.lists(moves, min_size=20, max_size=120))
def test_every_event_arrives_in_the_order_of_its_job(story: list[tuple[str, object]]) -> None:
    """Whatever fails, is read by parts, crashes and is saved when: no event is sent before the
    earlier ones of its job were taken, none is left out, none comes twice but after a crash, and
    in the end nothing is kept.
    """
    world = World(Pace(first_ms=2, longest_ms=8))
    for move, what in story:
        match move, what:
            case "append", list():
                world.append(*what)
            case "feed", int():
                world.feed(what)
            case "begin", _:
                world.begin()
            case "well", (int(index), int(some)) if world.under_way:
                world.end(index, some=some)
            case "badly", int() if world.under_way:
                world.end(what, well=False)
            case "wait", int():
                world.now_ms += what
            case "save", _:
                world.save()
            case "crash", _:
                world.crash()
    world.finish()
    world.save()
    assert world.saved == (len(world.log), {})
    wanted = defaultdict(list)
    for job, record in world.log:
        wanted[job].append(record.position)
    for job, positions in wanted.items():
        assert list(dict.fromkeys(world.taken[job])) == positions
    assert not world.book._lanes
    counts = (world.book._events, world.book._bytes, world.book._busy, world.book._busy_late)
    assert counts == (0, 0, 0, 0)


def test_a_job_that_fails_holds_up_no_other() -> None:
    """While one job's event is refused again and again, thousands of others' are accepted, and the
    books keep a number for it.
    """
    world = World()
    world.append("bad", *[f"j{n}" for n in range(3_000)], "bad")
    for _ in range(20_000):
        world.feed(100)
        if not world.begin():
            if not world.under_way:
                break
            step = world.under_way[0]
            world.end(0, well=isinstance(step, Read) or step.job != "bad")
    assert world.book.standing() == (3_002, {"bad": 0})
    assert world.book.accepted_count == 3_000
    assert world.book._events == 0
    world.finish()
    assert world.taken["bad"] == [1, 3_002]


def test_what_was_read_ahead_is_not_sent_again() -> None:
    """A late job is read beyond what was fed; the feed then passes that by, and lets the job go."""
    world = World()
    world.append("a", "a", "b")
    world.feed(1)
    world.begin()
    world.end(well=False)
    world.now_ms = 10_000
    while world.begin():
        world.end()
    assert world.taken["a"] == [1, 2]
    assert world.book._lanes
    world.feed()
    assert list(world.book._lanes) == ["b"]
    world.finish()
    assert world.taken == {"a": [1, 2], "b": [3]}


def test_jobs_that_hang_leave_room_for_others() -> None:
    """However many late jobs are due, and never answered, others are sent meanwhile."""
    world = World()
    world.append(*[f"bad{n}" for n in range(30)])
    world.feed()
    while world.begin():
        world.end(well=False)
    world.append("good")
    world.feed()
    world.now_ms = 100_000
    while world.begin():
        pass
    kinds = [type(step) for step in world.under_way]
    assert kinds == [Read] * LATE_IN_FLIGHT_MAX + [Send]
    assert world.under_way[-1].job == "good"
    assert world.book.wake_ms() is None


def test_memory_is_bounded_when_a_receiver_is_down() -> None:
    """Of a long log a window is read, a few jobs are tried, and the rest waits for them."""
    world = World()
    world.append(*[f"j{n}" for n in range(5_000)])
    for _ in range(1_000):
        world.feed(100)
        while world.begin():
            pass
        while world.under_way:
            world.end(0, well=isinstance(world.under_way[0], Read))
        world.now_ms += 100
    assert world.fed <= WINDOW_EVENTS + 100
    assert len(world.book.standing()[1]) <= LATE_MAX + IN_FLIGHT_MAX
    assert world.book.failed_count < 20 * LATE_MAX
    world.finish()
    assert world.book.standing() == (5_000, {})


def test_a_receiver_that_is_up_again_gets_all_at_once() -> None:
    """The first acceptance after an outage ends the pauses of all that failed in it, and of none
    that had failed before.
    """
    world = World()
    world.append("bad", "ok", "a", "b", "c")
    world.feed(2)
    assert (world.begin(), world.begin()) == (True, True)
    world.end(0, well=False)
    world.end(0)
    assert world.begin()
    world.end()
    assert world.begin()
    world.end(well=False)
    world.feed()
    assert (world.begin(), world.begin(), world.begin()) == (True, True, True)
    world.end(0, well=False)
    world.end(0, well=False)
    assert world.book.failing_since_ms == 0
    world.end(0)
    assert world.taken["c"] == [5]
    assert world.book.failing_since_ms is None
    steps = [world.book.next(0), world.book.next(0), world.book.next(0)]
    assert steps == [Read("a", 2), Read("b", 3), None]


def test_pauses_grow_up_to_a_limit_and_are_spread() -> None:
    """Each pause is up to twice the last; chance takes away up to half of it."""
    assert [PACE.pause_ms(tries, 1.0) for tries in (1, 2, 3, 4, 5, 500)] == [
        *(1_000, 2_000, 4_000, 8_000, 8_000, 8_000)
    ]
    assert PACE.pause_ms(3, 0.0) == 2_000


def test_a_receiver_may_ask_for_rest() -> None:
    """Nothing is sent, of any job, before the time that it asked for; a day is the most."""
    world = World()
    world.append("a", "b")
    world.feed()
    world.begin()
    assert world.book.failed("a", 0, chance=0, hold_ms=60_000) == 60_000
    assert world.book.next(59_999) is None
    assert world.book.wake_ms() == 60_000
    assert isinstance(world.book.next(60_000), Read)
    assert world.book.failed("a", 0, chance=0, hold_ms=10**12) == 24 * 3_600_000


@pytest.mark.parametrize("between", [False, True])
def test_who_takes_nothing_for_long_is_given_up(between: bool) -> None:
    """The time counts from the first failure after the last acceptance, also over a restart."""
    world = World()
    world.append("a", "b")
    world.feed()
    world.begin()
    world.end(0, well=False)
    if between:
        world.now_ms = 60_000
        world.finish()
    since = world.book.failing_since_ms
    book = Book(*world.book.standing(), failing_since_ms=since, pace=PACE)
    assert not book.hopeless(99_999)
    assert book.hopeless(100_000) is not between
