"""A typed route: what it takes and refuses, and that each refusal is a problem document."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
from msgspec import Meta

from events.errors import NodeSilent, NotFound
from node.redaction import hide
from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.asking import Asking
from node.web.api.endpoint import BODY_BYTES_MAX, Endpoint

ORIGIN = {"origin": "http://localhost"}
JSON = {**ORIGIN, "content-type": "application/json"}


class Path(Asking, frozen=True):
    """A thing."""

    number: int


class Name(Asking, frozen=True):
    """A thing by its name."""

    name: Annotated[str, Meta(pattern="^[a-z]+$")]


class Query(Asking, frozen=True):
    """What to echo, or how to fail."""

    word: Annotated[str, Meta(pattern="^[a-z ]*$", description="Small letters.")] = ""
    many: list[str] = []
    path: str = ""


class Body(Asking, frozen=True):
    """What to take."""

    count: int
    inner: list[Any] = []


async def echo(_: str, path: Path, query: Query) -> dict[str, Any]:
    """Say what came."""
    encoded = query.path.encode("utf-8", "surrogateescape").hex()
    return {"number": path.number, "word": query.word, "many": query.many, "path": encoded}


async def name(_: str, path: Name, query: Query) -> dict[str, Any]:
    """Say which."""
    return {"name": path.name, "word": query.word}


async def take(shared: str, path: Path, body: Body) -> dict[str, Any]:
    """Take a body."""
    return {"number": path.number, "count": body.count, "shared": shared, "position": 7}


async def fail(_: str, query: Query) -> dict[str, Any]:
    """Fail as the word says."""
    if query.word == "silent":
        raise NodeSilent("node n does not answer", hint="ask again")
    if query.word == "none":
        raise NotFound("there is no s3cr3t-in-a-name", hint="look for s3cr3t-in-a-name elsewhere")
    raise ZeroDivisionError(query.word)


ENDPOINTS = (
    Endpoint("GET", "/api/things/{number}", echo, dict[str, Any]),
    Endpoint("POST", "/api/things/{number}", take, dict[str, Any], status=201),
    Endpoint("GET", "/api/named/{name}", name, dict[str, Any]),
    Endpoint("GET", "/api/fail", fail, dict[str, Any]),
)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = api_app("shared", Access(), endpoints=ENDPOINTS)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem that an answer is, whole and of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert set(document) == {"type", "title", "status", "detail", "hint", "instance"}
    assert document["hint"]
    return document


async def test_what_comes_in_has_the_types_that_are_declared(client: httpx.AsyncClient) -> None:
    """Path and query are decoded to their structs, repeated fields to lists."""
    answer = await client.get("/api/things/7?many=a&word=x%20y&many=b")
    assert answer.json() == {"number": 7, "word": "x y", "many": ["a", "b"], "path": ""}


async def test_what_has_another_form_is_told_what_form_it_has(client: httpx.AsyncClient) -> None:
    """A field's own words say what it takes, and nobody has to read a regular expression."""
    refused = problem(await client.get("/api/things/7?word=UP"), 422)
    assert refused["detail"] == "the query's word cannot be 'UP'"
    assert refused["hint"] == "Small letters."
    refused = problem(await client.get("/api/named/UP"), 422)
    assert refused["detail"] == "the path's name cannot be 'UP'"


@pytest.mark.parametrize("number", ["0.0", "7.0", "7e0", "-0", "07", "+7", "%207", "7%0A"])
async def test_a_whole_number_is_written_in_one_way(client: httpx.AsyncClient, number: str) -> None:
    """What is a number only by rounding or by custom is none here: each has one address."""
    refused = problem(await client.get(f"/api/things/{number}"), 422)
    assert refused["hint"]


async def test_a_path_may_be_bytes_that_are_no_text(client: httpx.AsyncClient) -> None:
    """A file's name is bytes, so the field for it takes any; all others are UTF-8."""
    assert (await client.get("/api/things/7?path=a%FFb")).json()["path"] == "61ff62"
    problem(await client.get("/api/things/7?word=a%FFb"), 422)
    problem(await client.get("/api/things/7?w%FF=b"), 422)


async def test_an_answer_names_its_status_and_position(client: httpx.AsyncClient) -> None:
    """The declared status is sent, and the position of a document stands in a header too."""
    answer = await client.post("/api/things/7", json={"count": 1}, headers=ORIGIN)
    assert answer.status_code == 201
    assert answer.json()["shared"] == "shared"
    assert answer.headers["lota-position"] == "7"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/things/seven", 422),
        ("/api/things/7?word=a&word=b", 422),
        ("/api/things/7?wrong=1", 422),
        ("/api/things/7?" + "&".join(f"many={n}" for n in range(101)), 422),
        ("/api/things/%00", 422),
        ("/api/named/seven%0A", 422),
        ("/api/named/seven?word=w%0A", 422),
        ("/api/nothing", 404),
        ("/api/things/7/", 404),
        ("//api/things/7", 404),
        ("/api/fail?word=silent", 504),
        ("/api/fail?word=zero", 500),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    """Wrong types, unknown fields and paths, and errors all come as problem documents."""
    document = problem(await client.get(path), status)
    assert "ZeroDivision" not in document["detail"]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b'{"count": "x"}', JSON, 422),
        (b'{"count": 1, "more": 1}', JSON, 422),
        (b"{}", JSON, 422),
        (b"", JSON, 422),
        (b"", ORIGIN, 422),
        (b"{", JSON, 400),
        (b'{"count": 1}x', JSON, 400),
        (b'{"count": 1, "inner": ["\xff"]}', JSON, 400),
        (b'{"count": 1, "inner": ' + b"[" * 100_000, JSON, 400),
        (b'{"count": 1}', ORIGIN, 415),
        (b'{"count": 1}', {**ORIGIN, "content-type": "text/plain"}, 415),
        (b'{"count": 1}', {**ORIGIN, "content-type": "application/x-www-form-urlencoded"}, 415),
        (b" " * (BODY_BYTES_MAX + 1), JSON, 413),
        (b"", {**JSON, "content-length": "9" * 400}, 413),
    ],
)
async def test_a_body_that_will_not_do_is_a_problem(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Malformed, ill-typed, untyped and oversized bodies are told apart."""
    problem(await client.post("/api/things/7", content=body, headers=headers), status)


async def test_a_body_without_end_is_cut_off(client: httpx.AsyncClient) -> None:
    """No more of a body is read than it may have."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b" " * 65_536

    problem(await client.post("/api/things/7", content=endless(), headers=JSON), 413)
    assert sent <= BODY_BYTES_MAX // 65_536 + 2


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "TRACE", "OPTIONS", "BREW"])
async def test_another_method_is_told_which_there_are(
    client: httpx.AsyncClient, method: str
) -> None:
    """All methods of a path stand in `Allow`, whichever endpoint has them."""
    answer = await client.request(method, "/api/things/7", headers=ORIGIN)
    problem(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "POST"}


async def test_a_problem_shows_no_secret(client: httpx.AsyncClient) -> None:
    """What this process must not say is taken out of problems, wherever it stands."""
    hide("s3cr3t-in-a-name")
    answer = await client.get("/api/fail?word=none")
    assert "s3cr3t" not in answer.text
    assert problem(answer, 404)["type"] == "urn:lota:problem:NotFound"
