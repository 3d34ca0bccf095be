"""The pages over HTTP: what a browser is given, and what it is allowed to do with it."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from node.web.pages import page_files, page_routes

LINES_MAX = 700
COLUMNS_MAX = 120


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Starlette(routes=page_routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.mark.parametrize("path", ["/ui/", *(f"/ui/{name}" for name in page_files())])
async def test_a_page_comes_with_its_policy(client: httpx.AsyncClient, path: str) -> None:
    """Every file says what it is, and lets a browser reach nothing but this server."""
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert re.match(r"text/(html|css|javascript)|image/svg", answer.headers["content-type"])


async def test_a_file_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    """Each time a browser asks whether it has the present file, and is told so in a few bytes."""
    first = await client.get("/ui/app.js")
    assert first.headers["cache-control"] == "no-cache"
    again = await client.get("/ui/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/ui"])
async def test_the_way_to_the_pages_is_found(client: httpx.AsyncClient, path: str) -> None:
    """Who asks for the server itself gets to the first page."""
    answer = await client.get(path)
    assert answer.headers["location"] == "/ui/"


@pytest.mark.parametrize("path", ["/ui/pages.py", "/ui/..%2fpages.py", "/ui/__init__.py"])
async def test_only_pages_are_given_out(client: httpx.AsyncClient, path: str) -> None:
    """No other file of the program can be had by any name."""
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/", "/ui/", "/ui/app.js"])
async def test_pages_are_only_read(client: httpx.AsyncClient, path: str) -> None:
    """Another method is refused, and the methods that there are are named."""
    answer = await client.post(path)
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_the_pages_name_no_other_host() -> None:
    """No file of the pages holds an address elsewhere, but the names of two vocabularies."""
    for name, content in page_files().items():
        hosts = set(re.findall(rb"https?://([\w.-]+)", content))
        assert hosts <= {b"www.w3.org"}, name


def test_what_runs_in_a_browser_is_read_in_an_evening() -> None:
    """All modules together keep to a number of lines of a length that a screen holds."""
    modules = [content.decode() for name, content in page_files().items() if name.endswith(".js")]
    lines = [line for text in modules for line in text.splitlines()]
    assert len(lines) <= LINES_MAX, "let the server do more of it: node/web/views/"
    assert [line for line in lines if len(line) > COLUMNS_MAX] == []
    assert all(text.startswith("// @ts-check\n") for text in modules)


def test_every_module_that_is_imported_is_there() -> None:
    """The modules import nothing but each other, and each is needed."""
    imported = {"app.js", "exported.js"}
    for name, content in page_files().items():
        if name.endswith(".js"):
            imported |= set(re.findall(r'from "\./([\w.]+)"', content.decode()))
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", content.decode()
            )
    assert imported == {name for name in page_files() if name.endswith(".js")}
