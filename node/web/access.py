"""Who may ask what of the API and its pages.

A token stands for a role; each role may do what those before it may. Programs send the token, a
browser sends a cookie that it got for one: the cookie is signed with the token and is not the
token. Without any token only this machine is served, by its own name, since a page elsewhere could
let a name of its own point here. A browser tells where a request comes from, so what changes
something has to come from our own pages, or bring a token along.
"""

import hmac
import os
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request

from events.errors import WrongUsage
from node.redaction import hide
from node.web.listening import TOKEN, TOKEN_LENGTH_MIN, is_local_name, read_token_file
from node.web.problems import Refused
from node.web.rates import Rate, Rates

Role = Literal["read", "submit", "admin"]
ROLES: tuple[Role, ...] = ("read", "submit", "admin")

VARIABLES: Mapping[str, Role] = {f"LOTA_UI_TOKEN_{role.upper()}": role for role in ROLES}
COOKIE = "lota_session"
SESSION_S = 12 * 3600
TOKENS_MAX = 100
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

REQUESTS = Rate(burst=2_000, per_s=200)
"""A page asks a few times a second; a thousand that come back at once are still let in."""

GUESSES = Rate(burst=10, per_s=0.2)
"""Wrong tokens from one address. Above it they are answered with 429, and right ones as ever: who
shares an address with somebody who guesses is not locked out, and no rate finds a token."""

_GRANTED = "lota.role"


class Token(NamedTuple):
    """A secret, and the role that it stands for."""

    role: Role
    text: str


class Access:
    """Decides about each request; `tls` says whether cookies need it. `now_s` is the time of day.

    Counts of requests begin anew with the process, sessions do not.
    """

    def __init__(
        self,
        tokens: Sequence[Token] = (),
        *,
        tls: bool = False,
        rate: Rate = REQUESTS,
        guesses: Rate = GUESSES,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.tokens = tuple(tokens)
        self.cookie = f"__Host-{COOKIE}" if tls else COOKIE
        self.tls = tls
        self._asked = Rates(rate)
        self._guessed = Rates(guesses)
        self._now_s = now_s

    @property
    def open(self) -> bool:
        """Whether this machine is served without a token."""
        return not self.tokens

    def admit(self, request: Request) -> Role | None:
        """Return the role of a request, None for a stranger; raises `Refused` for one gone wrong.

        A stranger may see what is public, and no more.
        """
        sent = self._bearer(request) if not self.open else None
        token = sent or self._session(request.cookies.get(self.cookie, ""))
        self._count_asked(request, token)
        if self.open and not is_local_name(request.headers.get("host", "")):
            raise Refused(
                403,
                "without a token only this machine is served, by its own name",
                hint="ask http://127.0.0.1, or start it with a token",
            )
        if sent is None:
            self._same_origin(request)
        if self.open:
            return "admin"
        return token.role if token is not None else None

    def signed_in(self, request: Request, text: str) -> str:
        """Return the session for a token that somebody typed; raises `Refused` for a wrong one."""
        token = self._token(request, text)
        until = int(self._now_s()) + SESSION_S
        return f"{token.role}.{until}.{_signature(token, until)}"

    def _bearer(self, request: Request) -> Token | None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        return self._token(request, given.strip()) if scheme.lower() == "bearer" else None

    def _token(self, request: Request, given: str) -> Token:
        found = None
        digest = _digest(given)
        for token in self.tokens:
            # Each is looked at, and by its digest: the time tells neither which nor how much.
            if hmac.compare_digest(_digest(token.text), digest):
                found = token
        if found is None:
            self._count(self._guessed, _address(request), "wrong tokens come from this address")
            raise unauthorized("the token is none of this server's")
        return found

    def _session(self, text: str) -> Token | None:
        role, _, rest = text.partition(".")
        until, _, signature = rest.partition(".")
        if not (until.isascii() and until.isdigit() and int(until[:12]) > self._now_s()):
            return None
        found = None
        for token in self.tokens:
            expected = _signature(token, int(until[:12])).encode()
            same = hmac.compare_digest(expected, signature.encode("utf-8", "replace"))
            if same and token.role == role:
                found = token
        return found

    def _same_origin(self, request: Request) -> None:
        """Refuse what another site's page makes a browser send."""
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        if request.method in SAFE_METHODS:
            embedded = request.headers.get("sec-fetch-mode", "navigate") != "navigate"
            if embedded and site in {"cross-site", "same-site"}:
                raise Refused(403, "another site's page asked for it", hint="ask from /ui/")
        elif site != "same-origin" if site is not None else not _is_own(request, origin):
            raise Refused(
                403,
                "what changes something has to come from this server's own pages",
                hint="send Authorization: Bearer TOKEN, or this server's URL as the header Origin",
            )

    def _count_asked(self, request: Request, token: Token | None) -> None:
        """Count a request for its token, as many may share an address, behind a proxy all do."""
        if token is not None:
            name = f"token {self.tokens.index(token)}"
            self._count(self._asked, name, "requests come with this token")
        else:
            self._count(self._asked, _address(request), "requests come from this address")

    def _count(self, rates: Rates, client: str, what: str) -> None:
        wait_s = rates.wait_s(client, self._now_s())
        if wait_s:
            raise Refused(
                429,
                f"too many {what}",
                hint="wait for as many seconds as the header Retry-After says",
                headers={"retry-after": str(int(wait_s) + 1)},
            )


def grant(request: Request, role: Role | None) -> None:
    """Note what a request may do."""
    request.scope[_GRANTED] = role


def may(request: Request, role: Role) -> bool:
    """Whether a request may do what this role may."""
    granted: Role | None = request.scope.get(_GRANTED)
    return granted is not None and ROLES.index(granted) >= ROLES.index(role)


def require(request: Request, role: Role) -> None:
    """Raise `Refused` unless the request may do what this role may."""
    granted: Role | None = request.scope.get(_GRANTED)
    if granted is None:
        raise unauthorized("a token is needed")
    if not may(request, role):
        raise Refused(
            403,
            f"this takes the role {role}, and the token has {granted}",
            hint="use another token",
        )


def unauthorized(what: str) -> Refused:
    """Return the error for who has shown no right to ask."""
    return Refused(
        401,
        what,
        hint="send the header Authorization: Bearer TOKEN, or sign in at /login",
        headers={"www-authenticate": "Bearer"},
    )


def read_tokens(path: Path | None, environ: Mapping[str, str] = os.environ) -> list[Token]:
    """Return the tokens of a file, a `ROLE TOKEN` a line, and of the environment.

    Raises WrongUsage, which never shows what stands in the file.
    """
    found = [
        _checked(role, environ[name], name) for name, role in VARIABLES.items() if environ.get(name)
    ]
    if path is not None:
        found += _read_file(path)
    if len(found) > TOKENS_MAX:
        raise WrongUsage(f"there are more than {TOKENS_MAX} tokens", hint="leave some out")
    if len({token.text for token in found}) < len(found):
        raise WrongUsage("two of the tokens are the same", hint="give each role its own")
    return found


def _read_file(path: Path) -> list[Token]:
    lines = read_token_file(path, hint="write a ROLE TOKEN a line").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        place = f"line {number} of {path}"
        role = next((role for role in ROLES if role == words[0]), None)
        if role is None or len(words) != len(Token._fields):
            raise WrongUsage(f"{place} is no ROLE TOKEN", hint=f"ROLE is one of {', '.join(ROLES)}")
        found.append(_checked(role, words[1], place))
    if not found:
        raise WrongUsage(
            f"the token file {path} holds no token",
            hint=f'make one: echo "admin $(openssl rand -hex 32)" >{path}',
        )
    return found


def _checked(role: Role, text: str, place: str) -> Token:
    text = text.strip()
    if len(text) < TOKEN_LENGTH_MIN or not TOKEN.fullmatch(text):
        raise WrongUsage(
            f"{place} has no token of {TOKEN_LENGTH_MIN} characters or more",
            hint="make one: openssl rand -hex 32",
        )
    hide(text)
    return Token(role, text)


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _is_own(request: Request, origin: str | None) -> bool:
    host = request.headers.get("host", "")
    try:
        return bool(origin and host) and urlsplit(origin or "").netloc.lower() == host.lower()
    except ValueError:
        return False


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _signature(token: Token, until: int) -> str:
    said = f"lota session {token.role} {until}".encode()
    return hmac.new(token.text.encode(), said, sha256).hexdigest()
