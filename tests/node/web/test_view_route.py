"""The views over HTTP: who may see them, what comes with them, and what they say of themselves."""

import re
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from node.web.access import Access, Role, Token
from node.web.api.app import api_app
from node.web.api.shared import Api
from node.web.guard import guarded
from node.web.view_route import FILE, api_views, view_routes
from node.web.views.pages import PAGES
from tests.node.observer.watched import observing
from tests.node.web.pages import documents
from tests.node.web.pages.given_server import OFFERS, GivenServer
from tests.projections.story import log_of, story

TOKEN = "a-token-that-may-read-it"
RECORDS = story(3)
JOB = next(r.subject.split(".")[3] for r in RECORDS if r.subject.endswith("job.completed"))
ADDRESSES = {
    "network": "network?range=7d",
    "jobs": "jobs?state=completed",
    "job": f"jobs/{JOB}?shard=0",
    "nodes": f"nodes?job={JOB}",
    "log": "log?type=job.completed",
}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that may read a log without its network."""
    async with observing(log_of(RECORDS), tmp_path) as observer:
        api = Api(observer)
        app = api_app(api, Access([Token("read", TOKEN)]), api_views(api))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://lota.test/ui/view/",
            headers={"authorization": f"Bearer {TOKEN}"},
        ) as client:
            yield client


def said(html: str) -> dict[str, str]:
    """Return what a view says of itself."""
    found = re.match(r'<template id="shown"([^>]*)></template>', html)
    assert found is not None
    return {name: unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', found[1])}


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("at", [None, len(RECORDS) // 2])
async def test_a_view_is_html_that_runs_nothing(
    client: httpx.AsyncClient, name: str, at: int | None
) -> None:
    """Every page, now and at a moment, comes with its policy and is kept by nobody."""
    path = ADDRESSES[name]
    answer = await client.get(path if at is None else f"{path}&at={at}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert answer.headers["cache-control"] == "no-store"
    told = said(answer.text)
    assert int(told["position"]) == (at or len(RECORDS))
    assert int(told["newest"]) == len(RECORDS)
    assert "problem" not in told
    assert answer.text.count("<h1>") == 1


async def test_a_link_keeps_the_moment(client: httpx.AsyncClient) -> None:
    """Who looks at the past finds links into the same past."""
    html = (await client.get(f"nodes?job={JOB}&at=50")).text
    links = re.findall(r'href="(#[^"]*)"', html)
    assert links
    assert all("at=50" in link for link in links)


async def test_a_file_says_that_it_is_one(client: httpx.AsyncClient) -> None:
    """A log without its network is not called connected, and nothing is offered that it cannot."""
    for path in ADDRESSES.values():
        html = (await client.get(path)).text
        assert said(html)["said"] == FILE.now
        assert "Cancel" not in html


@pytest.mark.parametrize(("role", "offered"), [("read", False), ("submit", True)])
async def test_cancelling_is_offered_to_who_may_do_it(role: Role, offered: bool) -> None:
    """Who may only read sees no button that would be refused."""
    async with GivenServer() as given:
        app = Starlette(routes=view_routes(given.read, OFFERS))
        transport = httpx.ASGITransport(guarded(app, Access([Token(role, TOKEN)])))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(transport=transport, headers=headers) as client:
            answer = await client.get(f"http://lota.test/ui/view/jobs/{documents.JOB}")
    assert ("Cancel" in answer.text) is offered


async def test_a_stranger_is_asked_for_a_token(client: httpx.AsyncClient) -> None:
    """A view is answered as the API is: with a problem, and not with a form in its place."""
    answer = await client.get("log", headers={"authorization": ""})
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_page_that_is_none_is_the_first(client: httpx.AsyncClient) -> None:
    """An address that was mistyped leads to the network."""
    assert said((await client.get("netwrok")).text)["page"] == "network"


async def test_what_cannot_be_read_is_told_and_left_out(client: httpx.AsyncClient) -> None:
    """A filter that is none leaves the page standing, with what is wrong and what to do."""
    html = (await client.get("jobs?state=done")).text
    assert "state" in said(html)["problem"]
    assert "<h1>Jobs</h1>" in html


async def test_a_moment_that_is_not_there_is_a_problem(client: httpx.AsyncClient) -> None:
    """Behind the end of the log there is nothing to be shown."""
    answer = await client.get(f"network?at={len(RECORDS) + 1}")
    assert answer.status_code == 404
    assert answer.json()["hint"]


@pytest.mark.parametrize("words", ["at=soon", "&".join(f"a{n}=1" for n in range(200))])
async def test_an_address_that_means_nothing_is_refused(
    client: httpx.AsyncClient, words: str
) -> None:
    """What is no moment, or no address at all, is a problem of who asks."""
    assert (await client.get(f"log?{words}")).status_code == 422
