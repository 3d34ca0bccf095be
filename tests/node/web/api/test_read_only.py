"""A log without its network can be looked at, and nothing can be asked for."""

from pathlib import Path

import httpx

from events.times import parse_ms
from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.endpoints import ENDPOINTS
from node.web.api.shared import Api
from tests.node.observer.watched import observing
from tests.projections.story import log_of, story


async def test_a_log_alone_answers_409_to_what_needs_the_network(tmp_path: Path) -> None:
    """Submitting, cancelling, draining and results need the network, and the problem says so."""
    records = story(3)
    job = next(r.subject.split(".")[3] for r in records if r.subject.endswith("job.completed"))
    async with observing(log_of(records), tmp_path) as observer:
        transport = httpx.ASGITransport(api_app(Api(observer), Access()))
        headers = {"origin": "http://localhost"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost/api/v1", headers=headers
        ) as client:
            answers = [
                await client.post("/jobs", json={"engine": "noop"}),
                await client.post(f"/jobs/{job}/cancel", json={}),
                await client.post("/nodes/c1/drain"),
                await client.get(f"/jobs/{job}/logs"),
                await client.get(f"/jobs/{job}/results"),
                await client.get(f"/jobs/{job}/results/0/stdout"),
            ]
    for answer in answers:
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:lota:problem:ReadOnlyLog"


async def test_statistics_of_a_log_alone_end_with_its_last_event(tmp_path: Path) -> None:
    """However long ago it was written, its last hour is what one is shown first."""
    async with observing(log_of(story(3)), tmp_path) as observer:
        transport = httpx.ASGITransport(api_app(Api(observer), Access()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            series = (await client.get("/api/v1/statistics")).json()
        last_ms = observer.time_ms
    assert series["totals"]["jobs.submitted"] > 0
    assert 0 <= parse_ms(series["until"]) - last_ms <= 60_000


def test_roles_are_as_they_are_told() -> None:
    """Whatever is read takes the role read, a job and its end submit, and a node admin."""
    roles = {(e.method, e.path.removeprefix("/api/v1")): e.role for e in ENDPOINTS}
    assert {role for (method, _), role in roles.items() if method == "GET"} == {"read", None}
    assert {key: role for key, role in roles.items() if key[0] != "GET"} == {
        ("POST", "/jobs"): "submit",
        ("POST", "/jobs/{id}/cancel"): "submit",
        ("POST", "/nodes/{name}/drain"): "admin",
    }
    assert {path for (_, path), role in roles.items() if role is None} == {"/healthz", "/readyz"}
