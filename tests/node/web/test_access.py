"""Who may ask what: by tokens, by cookies, from which pages, and how often."""

import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from events.errors import WrongUsage
from node.web.access import SESSION_S, Access, Role, Token, read_tokens, require
from node.web.guard import guarded
from node.web.login import login_routes
from node.web.problems import Refused, mistaken, refused
from node.web.rates import Rate

TOKENS = {role: f"{role}-token-of-this-test" for role in ("read", "submit", "admin")}
URL = "http://lota.test"
Client = Callable[..., httpx.AsyncClient]


class Clock:
    """A time of day that is set by hand."""

    now_s = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(clock: Clock) -> Access:
    tokens = [Token(role, TOKENS[role]) for role in ("read", "submit", "admin")]
    return Access(tokens, now_s=clock)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    clients: list[httpx.AsyncClient] = []

    def connect(access: Access, url: str = URL, **headers: str) -> httpx.AsyncClient:
        app = guarded(_app(access), access)
        transport = httpx.ASGITransport(app)
        clients.append(httpx.AsyncClient(transport=transport, base_url=url, headers=headers))
        return clients[-1]

    yield connect
    for each in clients:
        await each.aclose()


def _app(access: Access) -> Starlette:
    def asks(role: Role) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            require(request, role)
            return PlainTextResponse(role)

        return answer

    return Starlette(
        routes=[
            Route("/api/read", asks("read")),
            Route("/api/submit", asks("submit"), methods=["POST"]),
            Route("/api/admin", asks("admin"), methods=["POST"]),
            Route("/ui/", asks("read")),
            *login_routes(access),
        ],
        exception_handlers={Refused: refused, HTTPException: mistaken},
    )


def bearer(role: str) -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[role]}"}


@pytest.mark.parametrize(
    ("role", "read", "submit", "admin"),
    [("read", 200, 403, 403), ("submit", 200, 200, 403), ("admin", 200, 200, 200)],
)
async def test_a_role_may_do_what_those_below_it_may(
    access: Access, client: Client, role: str, read: int, submit: int, admin: int
) -> None:
    """Read is less than submit, and submit less than admin."""
    asking = client(access, **bearer(role))
    assert (await asking.get("/api/read")).status_code == read
    assert (await asking.post("/api/submit")).status_code == submit
    assert (await asking.post("/api/admin")).status_code == admin


async def test_a_stranger_gets_a_problem_that_says_what_to_send(
    access: Access, client: Client
) -> None:
    """Without a token nothing is answered, and the problem names the header and the page."""
    answer = await client(access).get("/api/read")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Bearer" in answer.json()["hint"]


async def test_a_person_without_a_session_is_shown_where_to_sign_in(
    access: Access, client: Client
) -> None:
    """A browser that asks for a page is led to the form."""
    answer = await client(access).get("/ui/", headers={"accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_a_session_does_what_its_token_does(access: Access, client: Client) -> None:
    """The cookie of a sign-in stands for the role of its token, and is not the token."""
    browser = client(access, origin=URL)
    answer = await browser.post("/login", data={"token": TOKENS["submit"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKENS["submit"] not in cookie
    assert (await browser.get("/api/read")).status_code == 200
    assert (await browser.post("/api/submit")).status_code == 200
    assert (await browser.post("/api/admin")).status_code == 403
    await browser.post("/logout")
    assert (await browser.get("/api/read")).status_code == 401


async def test_a_session_ends(access: Access, client: Client, clock: Clock) -> None:
    """After its time the cookie stands for nothing."""
    browser = client(access, origin=URL)
    await browser.post("/login", data={"token": TOKENS["read"]})
    clock.now_s += SESSION_S - 1
    assert (await browser.get("/api/read")).status_code == 200
    clock.now_s += 2
    assert (await browser.get("/api/read")).status_code == 401


@pytest.mark.parametrize("change", ["role", "until", "signature", "all", "text"])
async def test_a_session_that_was_changed_is_none(
    access: Access, client: Client, change: str
) -> None:
    """A cookie that its holder has edited is worth nothing."""
    browser = client(access, origin=URL)
    await browser.post("/login", data={"token": TOKENS["read"]})
    role, until, signature = browser.cookies["lota_session"].split(".")
    forged = {
        "role": f"admin.{until}.{signature}",
        "until": f"{role}.{until}9.{signature}",
        "signature": f"{role}.{until}.{signature[::-1]}",
        "all": "admin.99999999999.",
        "text": "é" * 50,
    }
    stranger = client(access)
    cookie = f"lota_session={forged[change]}".encode()
    answer = await stranger.get("/api/read", headers=[(b"cookie", cookie)])
    assert answer.status_code == 401


async def test_a_wrong_token_is_told_on_the_form_and_never_shown(
    access: Access, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Who mistypes a token sees the form again, without what was typed; nor does a log show it."""
    caplog.set_level(logging.DEBUG)
    typed = "<script>mistyped-token</script>"
    answer = await client(access, origin=URL).post("/login", data={"token": typed})
    assert answer.status_code == 401
    assert "mistyped" not in answer.text
    assert "mistyped" not in caplog.text
    answer = await client(access).get("/api/read", headers={"authorization": f"Bearer {typed}"})
    assert answer.status_code == 401
    assert "mistyped" not in answer.text


async def test_guesses_are_counted(access: Access, client: Client, clock: Clock) -> None:
    """After a few wrong tokens the next one has to wait, and a right one from there has not."""
    asking = client(access)
    guess = {"authorization": "Bearer a-guess-of-this-test"}
    statuses = [(await asking.get("/api/read", headers=guess)).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    assert (await asking.get("/api/read", headers=bearer("admin"))).status_code == 200
    answer = await asking.get("/api/read", headers=guess)
    clock.now_s += int(answer.headers["retry-after"])
    assert (await asking.get("/api/read", headers=guess)).status_code == 401


async def test_who_asks_too_often_has_to_wait(client: Client, clock: Clock) -> None:
    """Above the rate requests are refused, and told for how long."""
    access = Access(rate=Rate(burst=2, per_s=1), now_s=clock)
    asking = client(access, "http://localhost")
    assert [(await asking.get("/api/read")).status_code for _ in range(3)] == [200, 200, 429]
    clock.now_s += 1
    assert (await asking.get("/api/read")).status_code == 200


async def test_each_token_has_a_rate_of_its_own(client: Client, clock: Clock) -> None:
    """Of those who share an address, as behind a proxy, none takes another token's turns; a session
    counts as the token that it was given for.
    """
    tokens = [Token(role, TOKENS[role]) for role in ("read", "submit", "admin")]
    access = Access(tokens, rate=Rate(burst=2, per_s=1), now_s=clock)
    asking = client(access)
    strangers = [(await asking.get("/api/read")).status_code for _ in range(3)]
    first = [await asking.get("/api/read", headers=bearer("read")) for _ in range(3)]
    second = [await asking.get("/api/read", headers=bearer("admin")) for _ in range(2)]
    session = access.signed_in(Request({"type": "http"}), TOKENS["admin"])
    asking.cookies.set(access.cookie, session)
    signed_in = await asking.get("/api/read")
    assert strangers == [401, 401, 429]
    assert [answer.status_code for answer in first] == [200, 200, 429]
    assert "with this token" in first[-1].json()["detail"]
    assert [answer.status_code for answer in second] == [200, 200]
    assert signed_in.status_code == 429


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://localhost"}, 200),
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost"}, 200),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost.evil.test"}, 403),
        ({"origin": "http://localhost:8080"}, 403),
        ({"origin": "http://[localhost"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
    ],
)
async def test_what_changes_something_comes_from_our_own_pages(
    client: Client, headers: dict[str, str], status: int
) -> None:
    """Without a token in hand a browser has to say that the request is of this server's page."""
    answer = await client(Access(), "http://localhost").post("/api/admin", headers=headers)
    assert answer.status_code == status


async def test_a_token_in_hand_needs_no_page(access: Access, client: Client) -> None:
    """No browser adds a Bearer token by itself, so a program need not say where it comes from."""
    answer = await client(access, **bearer("admin")).post("/api/admin")
    assert answer.status_code == 200


async def test_another_site_cannot_embed_what_is_read(client: Client) -> None:
    """A page elsewhere may link here, and gets nothing into itself."""
    asking = client(Access(), "http://localhost")
    elsewhere = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert (await asking.get("/api/read", headers=elsewhere)).status_code == 403
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert (await asking.get("/ui/", headers=followed)).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8470", 200),
        ("127.0.0.1:8470", 200),
        ("127.0.0.2:8470", 200),
        ("[::1]:8470", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test", 403),
        ("127.0.0.evil", 403),
        ("localhost:8470.evil.test", 403),
        ("", 403),
        ("[::1", 403),
        ("a b", 403),
        ("localhost/x?y#z", 403),
    ],
)
async def test_without_a_token_a_request_names_this_machine(
    client: Client, host: str, status: int
) -> None:
    """A name that an attacker lets point to this machine is refused."""
    answer = await client(Access(), "http://localhost").get("/api/read", headers={"host": host})
    assert answer.status_code == status


@pytest.mark.parametrize("host", ["[::1", "a b", "x@y", "h:99999999"])
async def test_a_host_that_is_none_breaks_nothing(
    access: Access, client: Client, host: str
) -> None:
    """With a token in hand any Host is answered, and refusals are problems as ever."""
    asking = client(access, **bearer("admin"))
    assert (await asking.get("/api/read", headers={"host": host})).status_code == 200
    refusal = await asking.get("/api/nothing", headers={"host": host})
    assert (refusal.status_code, refusal.json()["instance"]) == (404, "/api/nothing")
    assert (await client(access).get("/api/read", headers={"host": host})).status_code == 401


async def test_answers_are_marked(access: Access, client: Client) -> None:
    """Each answer, an error too, forbids sniffing, framing, embedding and scripts of others."""
    for answer in (await client(access).get("/api/read"), await client(access).get("/login")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "default-src 'self'" in answer.headers["content-security-policy"]


async def test_under_tls_the_cookie_is_for_tls(client: Client) -> None:
    """The cookie is bound to this host and to TLS."""
    access = Access([Token("read", TOKENS["read"])], tls=True)
    asking = client(access, "https://lota.test", origin="https://lota.test")
    cookie = (await asking.post("/login", data={"token": TOKENS["read"]})).headers["set-cookie"]
    assert cookie.startswith("__Host-lota_session=")
    assert "Secure" in cookie


async def test_a_form_without_end_is_cut_off(access: Access, client: Client) -> None:
    """A form is one token, and no more than that is read."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"token=" + b"x" * 1000

    answer = await client(access, origin=URL).post("/login", content=endless())
    assert answer.status_code == 413


async def test_a_form_of_many_fields_is_refused(access: Access, client: Client) -> None:
    """What is no form of ours is told, and breaks nothing."""
    fields = {f"field{n}": "x" for n in range(10)}
    answer = await client(access, origin=URL).post("/login", data=fields)
    assert answer.status_code == 422


def test_tokens_stand_in_a_file_or_in_the_environment(tmp_path: Path) -> None:
    """A file holds a role and a token a line, with comments; the environment one for each role."""
    path = tmp_path / "tokens"
    path.write_text(f"# for the robots\nread {TOKENS['read']}\n\nadmin {TOKENS['admin']}\n")
    environ = {"LOTA_UI_TOKEN_SUBMIT": TOKENS["submit"], "LOTA_UI_TOKEN_READ": ""}
    assert {(token.role, token.text) for token in read_tokens(path, environ)} == set(TOKENS.items())
    assert read_tokens(None, {}) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "secretsecretsecret\n",
        "root secretsecretsecret\n",
        "read secretsecretsecret more\n",
        "read secret\n",
        "read secret;secret;secret;secret\n",
        "read secrét-secret-secret\n",
        "read secretsecretsecret\nadmin secretsecretsecret\n",
    ],
)
def test_a_bad_token_file_is_refused_unseen(tmp_path: Path, text: str) -> None:
    """The error names the file or the line, and never shows what stands there."""
    path = tmp_path / "tokens"
    path.write_text(text)
    with pytest.raises(WrongUsage) as caught:
        read_tokens(path, {})
    assert "secret" not in str(caught.value).replace(str(path), "")


def test_a_bad_token_in_the_environment_is_named_by_its_variable() -> None:
    """The error names the variable, and never shows its value."""
    with pytest.raises(WrongUsage, match="LOTA_UI_TOKEN_ADMIN") as caught:
        read_tokens(None, {"LOTA_UI_TOKEN_ADMIN": "short"})
    assert "short" not in str(caught.value)
