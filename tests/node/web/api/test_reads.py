"""What the API says of jobs, nodes and the log is what a fold of the log says, at any position."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from events.memory import MemoryLog
from events.times import parse_ms
from node.observer.past import Past
from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.documents.jobs import ExecutionPage, JobDocument, JobPage, LanesDocument
from node.web.api.documents.log import EventPage, LogPage, ProjectionRow, SeriesDocument
from node.web.api.documents.nodes import NodeDocument, NodeList, RingDocument
from node.web.api.shared import Api
from projections.job_fold import JobFold
from projections.lanes import lanes_view
from projections.network import Network
from projections.track_records import TrackRecord, TrackRecords
from projections.travel import Travel
from projections.views import job_view
from tests.node.observer.watched import observing
from tests.projections.story import log_of, story

SEEDS = (3, 1055)
URL = "http://localhost/api/v1"


class Asking:
    """A client of the API over a log, which reads each answer as the document that it has to be."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, kind: Any, **query: Any) -> Any:
        """Return a document, as plain objects."""
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        if kind is not None:
            msgspec.json.decode(answer.content, type=kind)
        return answer.json()

    async def status(self, path: str, **query: Any) -> int:
        """Return the status of a refusal."""
        answer = await self.client.get(path, params=query)
        assert answer.headers["content-type"] == "application/problem+json"
        return answer.status_code


@asynccontextmanager
async def asking(log: MemoryLog, folder: Path) -> AsyncIterator[Asking]:
    async with observing(log, folder) as observer:
        transport = httpx.ASGITransport(api_app(Api(observer), Access()))
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            yield Asking(client)


def plain(view: dict[str, Any]) -> dict[str, Any]:
    """Return a view as JSON has it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(view))
    return found


def folds(seed: int, position: int) -> Mapping[str, JobFold]:
    """Fold each job of a story by itself."""
    records = story(seed)[:position]
    names = {record.subject.split(".")[3] for record in records} - {"_"}
    found = {name: JobFold(name, Network()) for name in names}
    for record in records:
        for fold in found.values():
            fold.fold(record)
    return {name: fold for name, fold in found.items() if fold.job is not None}


@pytest.mark.parametrize("seed", SEEDS)
async def test_jobs_at_any_position_are_those_of_a_fold(seed: int, tmp_path: Path) -> None:
    """List, document, lanes and executions of each job are as the log tells it up to there."""
    records = story(seed)
    async with asking(log_of(records), tmp_path) as api:
        for position in range(20, len(records), 60):
            expected = folds(seed, position)
            listed = await api.get("/jobs", JobPage, as_of=position)
            assert listed["position"] == position
            assert {row["id"] for row in listed["jobs"]} == set(expected)
            for name, fold in expected.items():
                assert fold.job is not None
                nodes = fold.travel.network.nodes
                document = await api.get(f"/jobs/{name}", JobDocument, as_of=position)
                now_ms = parse_ms(document["time"])
                view = plain(job_view(fold.job, nodes, fold.timeline, now_ms=now_ms))
                assert document.items() >= view.items()
                lanes = await api.get(f"/jobs/{name}/lanes", LanesDocument, as_of=position)
                assert (
                    lanes.items() >= plain(lanes_view(fold.job, fold.lanes, now_ms=now_ms)).items()
                )
                executions = await api.get(
                    f"/jobs/{name}/executions", ExecutionPage, as_of=position, limit=1000
                )
                assert [row["id"] for row in executions["executions"]] == [
                    execution["id"] for shard in view["shards"] for execution in shard["executions"]
                ]


@pytest.mark.parametrize("seed", SEEDS)
async def test_executions_of_a_job_come_page_by_page(seed: int, tmp_path: Path) -> None:
    """From page to page each execution comes once, in the order of shards and attempts."""
    records = story(seed)
    async with asking(log_of(records), tmp_path) as api:
        for name in folds(seed, len(records)):
            whole = await api.get(f"/jobs/{name}/executions", ExecutionPage, limit=1000)
            found, cursor = [], ""
            while cursor is not None:
                page = await api.get(
                    f"/jobs/{name}/executions", ExecutionPage, limit=2, cursor=cursor
                )
                found += page["executions"]
                cursor = page["next"]
            assert found == whole["executions"]


@pytest.mark.parametrize("seed", SEEDS)
async def test_events_of_a_job_come_page_by_page(seed: int, tmp_path: Path) -> None:
    """Pages of any size give each event of the job once, in the order of the log."""
    records = story(seed)
    async with asking(log_of(records), tmp_path) as api:
        submitted = [record for record in records if record.subject.endswith(".job.submitted")]
        name = submitted[-1].subject.split(".")[3]
        stored = [record.position for record in records if record.subject.split(".")[3] == name]
        for limit in (1, 3, 1000):
            found: list[int] = []
            cursor = ""
            while True:
                page = await api.get(f"/jobs/{name}/events", EventPage, limit=limit, cursor=cursor)
                found += [row["position"] for row in page["events"]]
                if page["next"] is None:
                    break
                cursor = page["next"]
            assert found == stored


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("chosen", [{}, {"author": ""}, {"type": "bids.placed"}, {"job": ""}])
async def test_the_log_is_read_either_way(
    chosen: dict[str, str], limit: int, tmp_path: Path
) -> None:
    """Pages forwards and backwards give the same events, each once, as the filters select."""
    records = story(3)
    async with asking(log_of(records), tmp_path) as api:
        _, _, _, job, _, author, _, _ = records[-1].subject.split(".")
        chosen = {
            name: value or {"job": job, "author": author}[name] for name, value in chosen.items()
        }
        forwards = await pages(api, {"after": "0"}, "after", limit, chosen)
        backwards = await pages(api, {}, "before", limit, chosen)
    words = [record.subject.split(".") for record in records]
    expected = [
        record.position
        for record, (_, _, _, job, _, author, noun, verb) in zip(records, words, strict=True)
        if {"job": job, "author": author, "type": f"{noun}.{verb}"}.items() >= chosen.items()
    ]
    assert expected
    assert forwards == expected
    assert backwards == expected[::-1]


async def pages(
    api: Asking, start: dict[str, str], way: str, limit: int, chosen: dict[str, str]
) -> list[int]:
    """Return the positions of all pages."""
    found: list[int] = []
    at = start
    while True:
        page = await api.get("/log", LogPage, limit=limit, **at, **chosen)
        found += [row["position"] for row in page["events"]]
        if page["next"] is None:
            return found
        at = {way: page["next"]}


async def test_the_log_as_of_then_ends_there(tmp_path: Path) -> None:
    """What came later is not shown, and the newest event is the one of that position."""
    async with asking(log_of(story(3)), tmp_path) as api:
        page = await api.get("/log", LogPage, limit=2, as_of=50)
        assert (page["first"], page["last"]) == (1, 50)
        assert [row["position"] for row in page["events"]] == [50, 49]
        assert page["next"] == "49"


async def test_a_message_that_is_none_of_ours_is_told(tmp_path: Path) -> None:
    """What cannot be read is a row that says why, and its bytes are not passed on."""
    log = log_of(story(3))
    subject = "lota.ev.net._.c.stranger.node.joined"
    position = log.append_now(subject, b"<script>\xff", id="x")
    async with asking(log, tmp_path) as api:
        page = await api.get("/log", LogPage, author="stranger")
        (row,) = page["events"]
        assert (row["position"], row["subject"], row["type"]) == (position, subject, None)
        assert row["summary"]
        assert "script" not in str(page)


@pytest.mark.parametrize("seed", SEEDS)
async def test_nodes_are_those_of_the_fold(seed: int, tmp_path: Path) -> None:
    """Each node of the log is listed and described, and its bids add up."""
    records = story(seed)
    past = Past(Travel(), TrackRecords())
    async with asking(log_of(records), tmp_path) as api:
        for position in range(20, len(records), 40):
            for record in records[past.position : position]:
                past.fold(record)
            listed = await api.get("/nodes", NodeList, as_of=position)
            for row in listed["nodes"]:
                node = await api.get(f"/nodes/{row['name']}", NodeDocument, as_of=position)
                assert node["bids"] == row["bids"]
                assert node["bids"]["placed"] >= node["bids"]["won"] + node["bids"]["lost"]
                assert len(node["executions"]) == row["executions"]
                assert len(node["failures"]) == sum(row["failures"].values())
                fared = past.track_records.of.get(row["name"]) or TrackRecord()
                assert node["record"] == {
                    name: getattr(fared, name) for name in TrackRecord.__struct_fields__
                }
        now = await api.get("/nodes", NodeList)
        assert sum(row["record"]["won"] for row in now["nodes"]) > 0


async def test_the_ring_shows_who_was_asked(tmp_path: Path) -> None:
    """The first nodes of the ring, as many as are asked, are those of the shard's first offer."""
    records = story(3)
    async with asking(log_of(records), tmp_path) as api:
        compared = 0
        for record in records:
            if not record.subject.endswith(("job.planned", "shards.offered")):
                continue
            name = record.subject.split(".")[3]
            told = folds(3, record.position)[name].job
            assert told is not None
            if len(told.offers) != 1 or told.offers[0].shards[0][0] != 0:
                continue
            ring = await api.get("/ring", RingDocument, job=name, as_of=record.position)
            first = [row["name"] for row in ring["nodes"][: ring["asked"]]]
            assert set(first) == set(told.offers[0].nodes)
            compared += 1
    assert compared


async def test_statistics_add_up(tmp_path: Path) -> None:
    """Over the time of the whole log, totals are what the log says, and points add up to them."""
    records = story(3)
    async with asking(log_of(records), tmp_path) as api:
        end = (await api.get("/jobs", JobPage))["time"]
        found = await api.get(
            "/statistics", SeriesDocument, since="2d", as_of=len(records), points=10
        )
    submitted = sum(record.subject.endswith(".job.submitted") for record in records)
    assert found["totals"]["jobs.submitted"] == submitted
    assert sum(found["series"]["jobs.submitted"]) == submitted
    assert len(found["times"]) == len(found["series"]["jobs.submitted"]) <= 10
    assert found["until"] >= end


async def test_projections_say_how_far_they_are(tmp_path: Path) -> None:
    """The position of each, and what it has still to store, come to the end of the log."""
    async with asking(log_of(story(3)), tmp_path) as api:
        found = await api.get("/projections", list[ProjectionRow])
    assert {row["position"] + row["lag"] for row in found} == {len(story(3))}
    assert {"jobs", "statistics"} <= {row["name"] for row in found}


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/statistics", {"since": "soon"}, 422),
        ("/statistics", {"since": "1h", "until": "2h"}, 422),
        ("/statistics", {"points": "1"}, 422),
        ("/statistics", {"step": "0s"}, 422),
        ("/jobs", {"as_of": "999999"}, 404),
        ("/jobs", {"as_of": "0"}, 422),
        ("/jobs", {"as_of": "yesterday"}, 422),
        ("/jobs", {"limit": "0"}, 422),
        ("/jobs", {"limit": "1001"}, 422),
        ("/jobs", {"limit": "9" * 400}, 422),
        ("/jobs", {"state": "lost"}, 422),
        ("/jobs", {"cursor": "a"}, 422),
        ("/jobs/none", {}, 404),
        ("/jobs/-", {}, 422),
        ("/jobs/" + "a" * 41, {}, 422),
        ("/jobs/%2e%2e", {}, 422),
        ("/jobs/%E2%80%AE", {}, 422),
        ("/jobs/none/lanes", {"shard": "-1"}, 422),
        ("/nodes/none", {}, 404),
        ("/ring", {"job": "none"}, 404),
        ("/log", {"after": "-1"}, 422),
        ("/log", {"type": "no.such"}, 422),
        ("/log", {"author": "*"}, 422),
    ],
)
async def test_what_is_not_there_or_no_point_is_refused(
    path: str, query: dict[str, str], status: int, tmp_path: Path
) -> None:
    """Ids, points, limits and filters that are none are told apart from what does not exist."""
    async with asking(log_of(story(3)), tmp_path) as api:
        assert await api.status(path, **query) == status
