"""Marks, held against each log: what is there, what is not, and what a log begins behind."""

import uuid
from collections.abc import AsyncIterator

import pytest

from events.connection import connect
from events.errors import AnotherLog
from events.jetstream import open_log
from events.log import Base, Log, Record
from events.marks import Mark, mark_of
from events.memory import MemoryLog
from events.recognition import look_up, recognise


@pytest.fixture(params=["memory", "jetstream"])
async def log(request: pytest.FixtureRequest, nats_url: str) -> AsyncIterator[Log]:
    """Return each implementation in turn; the JetStream log holds other tests' jobs as well."""
    if request.param == "memory":
        yield MemoryLog()
        return
    client = await connect(nats_url, name="marks")
    jetstream = await open_log(client)
    yield jetstream
    await jetstream.close()
    await client.close()


async def stored(log: Log) -> Mark:
    """Append a message and return its mark."""
    name = uuid.uuid4().hex
    subject, body = f"lota.ev.00.{name}.r.n1.a.b", name.encode()
    return mark_of(Record(await log.append(subject, body, id=name), subject, body))


async def test_marks_are_found(log: Log) -> None:
    """A log has its own messages; at their positions it has no others, and none behind its end."""
    marks = [await stored(log) for _ in range(3)]

    for mark in marks:
        assert await look_up(log, mark) == "there"
        assert await look_up(log, Mark(mark.position, "other")) == "differs"
    assert await look_up(log, Mark(marks[-1].position + 1_000_000, "other")) == "differs"


async def test_recognised_by_the_latest_or_the_anchor(log: Log) -> None:
    """The latest mark is enough, the anchor says that an end was lost, and neither is refused."""
    anchor, latest = await stored(log), await stored(log)
    lost, strange = Mark(latest.position + 1_000_000, "lost"), Mark(anchor.position, "strange")
    said = {"keeps": "the file", "remedy": "Do this"}

    assert await recognise(log, latest, anchor, **said) == ("there", anchor)
    assert await recognise(log, lost, anchor, **said) == ("differs", anchor)
    with pytest.raises(AnotherLog) as refused:
        await recognise(log, lost, strange, **said)
    assert refused.value.what == (
        f"the file belongs to another log: that one has event {lost.position:,} (lost), and this"
        f" one ends at event {await log.last():,}"
    )
    assert refused.value.hint == "Do this"


async def test_a_log_may_begin_behind_a_mark() -> None:
    """What was dropped cannot be compared: of an archived log the latest mark is the anchor."""
    log = MemoryLog()
    marks = [await stored(log) for _ in range(4)]
    log.archive(Base(2, b""))
    said = {"keeps": "the file", "remedy": "Do this"}

    assert await look_up(log, marks[1]) == "gone"
    assert await look_up(log, marks[2]) == "there"
    assert await recognise(log, marks[3], marks[0], **said) == ("there", marks[3])
    assert await recognise(log, marks[1], marks[0], **said) == ("gone", marks[1])
