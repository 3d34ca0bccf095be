"""What every log promises, held against each implementation."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
import pytest

from events.clock import now_ms
from events.connection import connect
from events.errors import LogError, LogUnavailable, WrongExpectedPosition
from events.jetstream import open_log
from events.log import Expect, Log, Record
from events.memory import MemoryLog


@pytest.fixture(params=["memory", "jetstream"])
async def log(request: pytest.FixtureRequest, nats_url: str) -> AsyncIterator[Log]:
    """Return each implementation in turn; the JetStream log holds other tests' jobs as well."""
    if request.param == "memory":
        memory = MemoryLog()
        yield memory
        await memory.close()
        return
    client = await connect(nats_url, name="contract")
    jetstream = await open_log(client)
    yield jetstream
    await jetstream.close()
    await client.close()


class Job:
    """The subjects of one job that no other test uses."""

    def __init__(self) -> None:
        self.name = uuid.uuid4().hex
        self.all = f"lota.ev.00.{self.name}.>"
        self.decisions = f"lota.ev.00.{self.name}.r.>"
        self.facts = f"lota.ev.00.{self.name}.c.>"
        self._ids = itertools.count()

    def subject(self, role: str = "r", author: str = "n1", type: str = "a.b") -> str:
        """Return the subject of one event of the job."""
        return f"lota.ev.00.{self.name}.{role}.{author}.{type}"

    def id(self) -> str:
        """Return an id that was not used before."""
        return f"{self.name}-{next(self._ids)}"

    async def append(self, log: Log, role: str = "r", body: bytes = b"{}", **more: Any) -> int:
        """Append an event of the job."""
        return await log.append(self.subject(role), body, id=self.id(), **more)


@pytest.fixture
def job() -> Job:
    return Job()


async def stored(log: Log, filters: Sequence[str], after: int = 0) -> list[Record]:
    """Read what is there, all batches in one list; when it was stored is each log's own affair."""
    return [
        msgspec.structs.replace(record, stored_ms=0)
        async for batch in log.read(filters, after=after)
        for record in batch
    ]


async def next_records(batches: AsyncIterator[list[Record]], count: int) -> list[Record]:
    """Take so many records from a follow."""
    records: list[Record] = []
    while len(records) < count:
        records += await anext(batches)
    return records


async def test_reads_what_was_appended(log: Log, job: Job) -> None:
    """A record has the subject and the very bytes that were appended, at the acked position."""
    position = await log.append(job.subject(), b'{"a": "\xc3\xa9"}', id=job.id())
    assert await stored(log, [job.all]) == [Record(position, job.subject(), b'{"a": "\xc3\xa9"}')]


async def test_says_when_it_was_stored(log: Log, job: Job) -> None:
    """A record says when the server stored it, to the millisecond, or that the log does not."""
    before_ms = now_ms()
    await job.append(log)
    after_ms = now_ms()
    times = {record.stored_ms async for batch in log.read([job.all]) for record in batch}

    assert times <= {0, *range(before_ms - 1, after_ms + 2)}
    assert (times == {0}) == isinstance(log, MemoryLog)


async def test_keeps_the_order_of_calls(log: Log, job: Job) -> None:
    """Appends that are under way together are stored in the order of the calls."""
    bodies = [b"%d" % number for number in range(500)]
    positions = await asyncio.gather(
        *[log.append(job.subject("c"), body, id=job.id()) for body in bodies]
    )
    assert positions == sorted(set(positions))
    assert [record.body for record in await stored(log, [job.all])] == bodies


async def test_reads_across_many_batches(log: Log, job: Job) -> None:
    """A read of more than one pull request or batch yields each record once, in order."""
    answers = [log.append(job.subject("c"), b"%d" % n, id=job.id()) for n in range(9_000)]
    positions = await asyncio.gather(*answers)
    assert [record.position for record in await stored(log, [job.all])] == positions


async def test_reads_bodies_larger_than_a_pull(log: Log, job: Job) -> None:
    """Bodies that together exceed the bytes of the pull requests arrive all the same."""
    for number in range(30):
        await job.append(log, "c", bytes([number]) * 900_000)
    records = await stored(log, [job.all])
    assert [record.body[:1] for record in records] == [bytes([number]) for number in range(30)]


async def test_an_empty_log_reads_as_nothing(log: Log, job: Job) -> None:
    """A read of what nobody wrote ends without a batch."""
    assert await stored(log, [job.all]) == []


async def test_reads_behind_a_position(log: Log, job: Job) -> None:
    """`after` leaves out that position and all before it."""
    positions = [await job.append(log) for _ in range(3)]
    found = await stored(log, [job.all], after=positions[0])
    assert [record.position for record in found] == positions[1:]
    assert await stored(log, [job.all], after=positions[2]) == []


async def test_a_read_ends_with_what_was_there(log: Log, job: Job) -> None:
    """A read does not run after a writer who appends while it goes on."""
    await job.append(log, body=b"before")
    found = []
    async for batch in log.read([job.all]):
        found += [record.body for record in batch]
        await job.append(log, body=b"during")
    assert found == [b"before"]


async def test_everything_includes_each_job(log: Log, job: Job) -> None:
    """Without filters the whole log is read."""
    before = await log.last()
    position = await job.append(log)
    records = [record async for batch in log.read(after=before) for record in batch]
    assert [record.position for record in records] == [position]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ("lota.ev.00.{job}.>", [b"r1", b"c1", b"c2", b"g"]),
        ("lota.ev.00.{job}.c.>", [b"c1", b"c2"]),
        ("lota.ev.*.{job}.*.n1.>", [b"r1", b"c1"]),
        ("lota.ev.00.{job}.*.*.a.b", [b"r1", b"c1"]),
        ("lota.ev.00.{job}.r.n1.a.b", [b"r1"]),
        ("lota.ev.00.{job}.r.n1", []),
        ("lota.ev.00.{job}.*", []),
    ],
)
async def test_filters_select(log: Log, job: Job, filter: str, expected: list[bytes]) -> None:
    """A filter selects by NATS wildcards, whole tokens only."""
    for body, role, author, kind in [
        (b"r1", "r", "n1", "a.b"),
        (b"c1", "c", "n1", "a.b"),
        (b"c2", "c", "n2", "c.d"),
        (b"g", "g", "cli", "job.submitted"),
    ]:
        await log.append(job.subject(role, author, kind), body, id=job.id())
    found = await stored(log, [filter.format(job=job.name)])
    assert [record.body for record in found] == expected


async def test_several_filters_keep_log_order(log: Log, job: Job) -> None:
    """Records of several filters come in the order of the log, not filter by filter."""
    other = Job()
    for role in ("r", "c", "g", "r", "c"):
        await job.append(log, role, role.encode())
    await other.append(log, "c", b"other")
    found = await stored(log, [job.facts, other.all, job.decisions])
    assert [record.body for record in found] == [b"r", b"c", b"r", b"c", b"other"]


@pytest.mark.parametrize("roles", [[], ["r.>", ">"], ["c.*.>", "*.n1.>"]])
async def test_overlapping_filters_are_refused(log: Log, job: Job, roles: list[str]) -> None:
    """No filter, or filters that select the same subject, are an error of the caller."""
    filters = [f"lota.ev.00.{job.name}.{role}" for role in roles]
    with pytest.raises(LogError):
        await stored(log, filters)


async def test_the_fence_holds(log: Log, job: Job) -> None:
    """An append at the expected position succeeds, and one at an older position conflicts."""
    first = await job.append(log, expect=Expect(job.decisions, 0))
    second = await job.append(log, expect=Expect(job.decisions, first))
    with pytest.raises(WrongExpectedPosition):
        await job.append(log, expect=Expect(job.decisions, first))
    assert [r.position for r in await stored(log, [job.all])] == [first, second]


async def test_fence_zero_means_none_yet(log: Log, job: Job) -> None:
    """An expected position of 0 admits the first by the filter, and no second."""
    await job.append(log, "r")
    await job.append(log, "g", expect=Expect(f"lota.ev.00.{job.name}.g.>", 0))
    with pytest.raises(WrongExpectedPosition):
        await job.append(log, "g", expect=Expect(f"lota.ev.00.{job.name}.g.>", 0))


async def test_the_fence_does_not_see_facts(log: Log, job: Job) -> None:
    """What other filters select moves the log, not the fence."""
    decision = await job.append(log)
    await job.append(log, "c")
    assert await job.append(log, expect=Expect(job.decisions, decision)) > decision


async def test_a_fence_ahead_conflicts(log: Log, job: Job) -> None:
    """An expected position that the filter has not reached conflicts too."""
    decision = await job.append(log)
    fact = await job.append(log, "c")
    with pytest.raises(WrongExpectedPosition):
        await job.append(log, expect=Expect(job.decisions, max(decision + 1, fact)))


async def test_one_of_many_rivals_wins(log: Log, job: Job) -> None:
    """Of appends with one expectation exactly one is stored."""
    rivals = [
        log.append(job.subject(author=f"n{n}"), b"{}", id=job.id(), expect=Expect(job.decisions, 0))
        for n in range(20)
    ]
    outcomes = await asyncio.gather(*rivals, return_exceptions=True)
    assert sum(isinstance(outcome, WrongExpectedPosition) for outcome in outcomes) == 19
    assert len(await stored(log, [job.all])) == 1


async def test_a_repeat_is_the_first(log: Log, job: Job) -> None:
    """A repeat with the same id resolves to the first's position and stores nothing."""
    first = await log.append(job.subject("c"), b"{}", id="repeat-" + job.name)
    await job.append(log, "c")
    assert await log.append(job.subject("c"), b"{}", id="repeat-" + job.name) == first
    assert len(await stored(log, [job.all])) == 2


async def test_a_fenced_repeat_is_the_first(log: Log, job: Job) -> None:
    """A repeat that conflicts only with itself resolves to its own position."""
    expect = Expect(job.decisions, 0)
    first = await log.append(job.subject(), b"{}", id="fenced-" + job.name, expect=expect)
    await log.append(job.subject(author="n2"), b"{}", id=job.id())
    assert await log.append(job.subject(), b"{}", id="fenced-" + job.name, expect=expect) == first
    assert len(await stored(log, [job.all])) == 2


async def test_follow_goes_on(log: Log, job: Job) -> None:
    """A follow yields what is stored and then what comes, and waits in between."""
    positions = [await job.append(log), await job.append(log)]
    batches = log.follow([job.all])
    found = await next_records(batches, 2)
    waiting = asyncio.ensure_future(anext(batches))
    positions.append(await job.append(log))
    found += await waiting
    assert [record.position for record in found] == positions
    await log.close()


async def test_followers_do_not_disturb_each_other(log: Log, job: Job) -> None:
    """Each of several follows and reads sees everything."""
    one, other = log.follow([job.all]), log.follow([job.all])
    position = await job.append(log)
    for batches in (one, other):
        assert [record.position for record in await next_records(batches, 1)] == [position]
    assert len(await stored(log, [job.all])) == 1
    await log.close()


async def test_a_shorter_log_is_noticed(log: Log, job: Job) -> None:
    """To follow from a position that the log has not reached is an error, not silence."""
    position = await job.append(log)
    with pytest.raises(LogError):
        await anext(log.follow([job.all], after=position + 1_000_000))


async def test_close_ends_a_follow(log: Log, job: Job) -> None:
    """A follow that waits ends, without an error, when the log is closed."""
    batches = log.follow([job.all])
    waiting = asyncio.ensure_future(anext(batches, None))
    await job.append(log)
    await waiting
    waiting = asyncio.ensure_future(anext(batches, None))
    await log.close()
    assert await waiting is None


async def test_a_closed_log_refuses(log: Log, job: Job) -> None:
    """After close, which may be repeated, append, read and last are LogUnavailable."""
    await log.close()
    await log.close()
    with pytest.raises(LogUnavailable):
        await job.append(log)
    with pytest.raises(LogUnavailable):
        await stored(log, [job.all])
    with pytest.raises(LogUnavailable):
        await log.last(job.all)


async def test_last_by_filter(log: Log, job: Job) -> None:
    """`last` is the position of the last match, 0 if there is none, and the log's end without."""
    assert await log.last(job.all) == 0
    decision = await job.append(log)
    fact = await job.append(log, "c")
    assert await log.last(job.decisions) == decision
    assert await log.last(job.all) == fact
    assert await log.last() == fact


async def test_a_cancelled_caller_harms_nobody(log: Log, job: Job) -> None:
    """Giving up on one append leaves the others and the log as they were."""
    log.append(job.subject("c"), b"given up", id=job.id()).cancel()
    position = await job.append(log, "c", b"next")
    assert (await stored(log, [job.all]))[-1] == Record(position, job.subject("c"), b"next")
