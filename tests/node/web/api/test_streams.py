"""Events as they come: from any position on, without a gap or a repeat, to many at a time."""

import asyncio
import gc
import json
import logging
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from events.log import Record
from node.web.api.hub import Client, Hub
from node.web.api.serving import Connection
from node.web.api.shared import Api
from tests.node.observer.watched import observing
from tests.node.web.api.followers import Follower
from tests.node.web.api.served import observed, serving
from tests.projections.story import extend, log_of, story

EVENTS = "/api/v1/events"
CHANGES = "/api/v1/changes"


def events(records: Sequence[Record]) -> list[Record]:
    """Leave out what the simulated intruder has put between the events."""
    return [record for record in records if ".mallory." not in record.subject]


async def test_events_come_from_a_position_on(tmp_path: Path) -> None:
    """What was stored and what comes are one stream, each event once and in the log's order."""
    records = story(3)
    log = log_of(records[:100])
    async with observed(log, tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, f"{EVENTS}?after=40")
        await follower.until(100)
        for start in range(100, len(records), 7):
            extend(log, records[start : start + 7])
            await follower.until(min(start + 7, len(records)))
        assert follower.ids == [record.position for record in events(records[40:])]
        follower.close()


async def test_each_event_is_the_document_that_is_stored(tmp_path: Path) -> None:
    """An event has its position as id, its type as name, and the stored JSON as data."""
    records = story(3)
    log = log_of(records)
    async with observed(log, tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, f"{EVENTS}?after=0", keep=True)
        await follower.until(len(records))
        follower.close()
    found = re.findall(rb"id: (\d+)\nevent: (.*)\ndata: (.*)\n\n", follower.text)
    for (position, name, data), record in zip(found, events(records), strict=True):
        assert int(position) == record.position
        assert record.subject.endswith(f".{name.decode()}")
        assert json.loads(data) == json.loads(record.body)
    head = follower.text.partition(b"\r\n\r\n")[0].lower()
    assert b"content-type: text/event-stream" in head
    assert b"cache-control: no-store" in head
    assert b"x-accel-buffering: no" in head


async def test_who_comes_again_says_where_it_is(tmp_path: Path) -> None:
    """`Last-Event-ID` wins over the query, since a browser repeats its first URL."""
    records = story(3)
    async with observed(log_of(records), tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, f"{EVENTS}?after=0", headers="Last-Event-ID: 90\r\n")
        await follower.until(len(records))
        assert follower.ids == [record.position for record in events(records[90:])]
        follower.close()


async def test_without_a_position_only_what_comes_is_sent(tmp_path: Path) -> None:
    """Who says nothing begins with the next event."""
    records = story(3)
    log = log_of(records[:50])
    async with observed(log, tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, EVENTS)
        extend(log, records[50:60])
        await follower.until(60)
        assert follower.ids == list(range(51, 61))
        follower.close()


@pytest.mark.parametrize("from_start", [True, False])
async def test_events_are_chosen(from_start: bool, tmp_path: Path) -> None:
    """Types and a job select, in what was stored and in what comes alike."""
    records = story(3)
    ends = [record for record in records if record.subject.endswith(".job.completed")]
    job = ends[-1].subject.split(".")[3]
    begun = next(record.position for record in records if record.subject.split(".")[3] == job)
    after = 0 if from_start else begun
    log = log_of(records[:begun])
    async with observed(log, tmp_path) as api, serving(api) as url:
        query = f"after={after}&job={job}&type=bids.placed&type=job.completed"
        chosen = await Follower.connect(url, f"{EVENTS}?{query}")
        everything = await Follower.connect(url, EVENTS)
        extend(log, records[begun:])
        await everything.until(len(records))
        expected = [
            record.position
            for record in events(records[after:])
            if record.subject.split(".")[3] == job
            and record.subject.endswith((".bids.placed", ".job.completed"))
        ]
        await chosen.until(expected[-1])
        assert chosen.ids == expected
        chosen.close()
        everything.close()


async def test_what_is_no_event_is_passed_over(tmp_path: Path) -> None:
    """A message of a stranger is not sent, and holds up nobody."""
    log = log_of(story(3))
    last = len(story(3))
    async with observed(log, tmp_path) as api, serving(api) as url:
        record = story(3)[-1]
        job = record.subject.split(".")[3]
        queries = ("", f"?job={job}", "?type=job.completed&type=job.failed")
        followers = [await Follower.connect(url, EVENTS + query) for query in queries]
        log.append_now("lota.ev.net._.c.x.node.joined", b"id: 7\n\ndata: <script>", id="x")
        log.append_now("lota.ev.x", b"", id="y")
        log.append_now(record.subject, record.body, id="again")
        for follower in followers:
            await follower.until(last + 3)
            assert follower.ids == [last + 3]
            follower.close()


async def test_a_client_far_behind_reads_the_log_and_joins(tmp_path: Path) -> None:
    """Who is behind all that is held gets the rest from the log, and misses nothing meanwhile."""
    records = story(3)
    log = log_of(records[:100])
    async with observing(log, tmp_path) as observer:
        api = Api(observer, events=Hub(items_max=8))
        async with serving(api) as url:
            live = await Follower.connect(url, EVENTS)
            followers = [await Follower.connect(url, f"{EVENTS}?after=10") for _ in range(20)]
            for start in range(100, len(records), 5):
                extend(log, records[start : start + 5])
                await live.until(min(start + 5, len(records)))
            for follower in followers:
                await follower.until(len(records))
                assert follower.ids == [record.position for record in events(records[10:])]
                follower.close()
            live.close()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{EVENTS}?after=999999", "", 409),
        (EVENTS, "Last-Event-ID: abc\r\n", 422),
        (EVENTS, "Last-Event-ID: 9999999999999999999999\r\n", 422),
        (f"{EVENTS}?type=no.such", "", 422),
        (f"{EVENTS}?job=none", "", 404),
        (f"{EVENTS}?after=-1", "", 422),
    ],
)
async def test_what_cannot_be_followed_is_refused(
    path: str, headers: str, status: int, tmp_path: Path
) -> None:
    """Positions, types and jobs that are none get a problem, and no stream."""
    async with observed(log_of(story(3)), tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, path, headers=headers)
        assert follower.status == status
        assert api.events.clients == 0
        follower.close()


async def test_only_so_many_may_follow(tmp_path: Path) -> None:
    """Above the limit a client is told to come again, and has its place when another has gone."""
    log = log_of(story(3))
    async with observing(log, tmp_path) as observer:
        api = Api(observer, events=Hub(clients_max=2))
        async with serving(api) as url:
            one, other = [await Follower.connect(url, EVENTS) for _ in range(2)]
            late = await Follower.connect(url, EVENTS)
            assert (one.status, other.status, late.status) == (200, 200, 503)
            one.close()
            await api.events.at_most(1)
            again = await Follower.connect(url, EVENTS)
            assert again.status == 200
            for follower in (other, late, again):
                follower.close()


async def test_streams_end_before_the_server_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """When the server stops each stream comes to its end, and nothing is logged."""
    async with observed(log_of(story(3)), tmp_path) as api:
        async with serving(api) as url:
            followers = [await Follower.connect(url, path, keep=True) for path in (EVENTS, CHANGES)]
        for follower in followers:
            await follower.ended.wait()
            assert follower.text.endswith(b"0\r\n\r\n")
    assert not caplog.records


async def test_changes_say_where_the_log_stands_and_what_came(tmp_path: Path) -> None:
    """The first change comes at once; later ones name the jobs that events came of."""
    records = story(3)
    log = log_of(records[:100])
    async with observed(log, tmp_path) as api, serving(api) as url:
        follower = await Follower.connect(url, CHANGES, keep=True)
        await follower.until(100)
        extend(log, records[100:130])
        await follower.until(130)
        follower.close()
    changes = [json.loads(data) for data in re.findall(rb"\ndata: (.*)\n\n", follower.text)]
    assert changes[0]["position"] == 100
    assert changes[0]["jobs"] == []
    assert changes[-1]["position"] == 130
    named = {job for change in changes for job in change["jobs"]}
    assert named == {record.subject.split(".")[3] for record in records[100:130]} - {"_"}


async def test_who_missed_changes_is_told_that_they_are_many(tmp_path: Path) -> None:
    """Whoever comes again after all that is held has to ask for everything anew."""
    log = log_of(story(3))
    async with observed(log, tmp_path) as api, serving(api) as url:
        headers = "Last-Event-ID: 5\r\n"
        follower = await Follower.connect(url, CHANGES, headers=headers, keep=True)
        await follower.until(len(story(3)))
        follower.close()
    assert b'"jobs":null,"nodes":true' in follower.text


class Hurried(Connection):
    """Connections that are cut sooner, and hold less, than those of people.

    A busy machine keeps those who do read waiting for a second or two.
    """

    stall_s = 5.0
    unsent_bytes_max = 4_096


async def test_a_thousand_follow_and_half_of_them_stall(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Those who read get every event; those who do not are cut off, and nothing of them stays."""
    caplog.set_level(logging.WARNING)
    records = story(3)
    log = log_of(records)
    first = len(records)
    last = first + 2 * len(events(records))
    async with observed(log, tmp_path) as api, serving(api, connection=Hurried) as url:
        tasks_before = len(asyncio.all_tasks())
        reading = [await Follower.connect(url, EVENTS) for _ in range(500)]
        stalled = [await Follower.connect(url, EVENTS, stalled=True) for _ in range(500)]
        assert api.events.clients == 1_000
        for round_ in range(2):
            for number, record in enumerate(events(records)):
                log.append_now(record.subject, record.body, id=f"{round_}-{number}")
        for follower in reading:
            await follower.until(last)
            assert follower.ids == list(range(first + 1, last + 1))
        await api.events.at_most(500)
        assert api.events.clients == 500
        assert not any(follower.ended.is_set() for follower in reading)
        for follower in (*reading, *stalled):
            follower.close()
        await api.events.at_most(0)
        gc.collect()
        assert not [one for one in gc.get_objects() if isinstance(one, Client)]
        assert len(asyncio.all_tasks()) < tasks_before + 10
    assert not caplog.records
