"""HTTP as the drivers of web services speak it: one set of time limits, one reading of failures.

Whatever can go wrong with a service ends as a `PublishError` whose code says what kind it was:

| code | what happened | a repeat |
|---|---|---|
| `unreachable` | no connection, or no trust in its certificate | may help |
| `timeout` | it was silent for too long, or 408: to it we were | may help |
| `broken-off` | the connection ended within a request or an answer | may help |
| `busy` | 429: too many requests | may help |
| `unavailable` | 5xx | may help |
| `bad-answer` | an answer that is not what the service's contract says | may help |
| `refused` | 401 or 403 | cannot help |
| `gone` | 410: the service has closed | cannot help |
| `too-large` | 413 | cannot help |
| `rejected` | any other status | cannot help |

A body is never read beyond a bound and never unpacked, and no redirect is followed: the credential
says where the service is. A proxy and the trusted certificates are taken from the environment
(`HTTPS_PROXY`, `SSL_CERT_FILE`), as everywhere.
"""

import asyncio
import ssl
from collections.abc import AsyncIterable, Container, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

import httpx
import msgspec

from events.errors import PublishError

CONNECT_TIMEOUT_S = 10.0
PATIENCE_S = 60.0
ANSWER_BYTES = 1 << 20
CONNECTIONS = 16

_SHOWN = 120
_OK = frozenset({200})
_REFUSED = frozenset({401, 403})
_ANSWER_HINT = "Check that the credential's address is that of such a service"

T = TypeVar("T")


class Answer(NamedTuple):
    """What a service said: the status, the headers and the whole body."""

    status: int
    headers: httpx.Headers
    body: bytes


class HttpService:
    """One web service: where it is, as whom we come, and how long we wait.

    `name` is the driver's, for messages. `token` is sent as a bearer token. `patience_s` bounds
    each silence of the service, and the time from the first byte of an answer to its last.
    Messages show the `origin` alone, since services have keys in their paths, too. Raises
    `PublishError` for an address or a token that cannot be used, and shows neither.
    """

    def __init__(
        self, name: str, url: str, *, token: str | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        self.url = _base_url(name, url)
        self.origin = _origin(self.url)
        self._token = token
        self._patience_s = patience_s
        self._client: httpx.AsyncClient | None = None
        if token is not None and not (token.isascii() and token.isprintable() and token):
            raise PublishError(
                "credential",
                f"the token for {name!r} is empty or holds a character that no header can",
                permanent=True,
                hint="Store the token alone, on one line",
            )

    async def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | AsyncIterable[bytes] | None = None,
        size_bytes: int | None = None,
        accept: Container[int] = _OK,
        limit_bytes: int = ANSWER_BYTES,
    ) -> Answer:
        """Ask once, and return the answer when its status is one to `accept`.

        `path` begins with a slash and is percent-encoded by the caller. A streamed body needs its
        `size_bytes`, so that it is not sent chunked; the caller closes its iterator. Raises
        `PublishError` as the module says, and whatever the body's iterator raises.
        """
        client = await self._opened()
        sent = dict(headers or {})
        if size_bytes is not None:
            sent["Content-Length"] = str(size_bytes)
        request = client.build_request(method, path, params=params, headers=sent, content=body)
        place = f"{method} {self.origin}{path}"
        try:
            response = await client.send(request, stream=True)
            try:
                async with asyncio.timeout(self._patience_s):
                    answer = await _read(response, limit_bytes)
            finally:
                await response.aclose()
        except (httpx.TransportError, TimeoutError) as error:
            raise self._broken(error, place) from error
        if answer is None:
            raise PublishError(
                "bad-answer", f"{place}: more than {limit_bytes} bytes", hint=_ANSWER_HINT
            )
        if answer.status not in accept:
            raise self._failure(answer, place)
        return answer

    def decode(self, answer: Answer, kind: type[T]) -> T:
        """Read an answer's JSON; raise `PublishError` when it is none of that shape."""
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise PublishError(
                "bad-answer",
                f"{self.origin} did not answer as such a service does: {self.said(answer)}",
                hint=_ANSWER_HINT,
            ) from error

    def said(self, answer: Answer) -> str:
        """Return the start of what the service said, on one line and without our token."""
        return self._shown(_message(answer.body))

    async def close(self) -> None:
        """Close the connections; safe to repeat."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _opened(self) -> httpx.AsyncClient:
        try:
            # Reading the trusted certificates takes 40 ms, so a thread does it, and once.
            verify = await asyncio.to_thread(_tls) if self.url.startswith("https:") else False
            if self._client is None:
                self._client = self._made(verify)
        except (OSError, ValueError, httpx.InvalidURL) as error:
            raise PublishError(
                "unreachable",
                f"{self.origin} cannot be asked: {type(error).__name__}",
                hint="Check SSL_CERT_FILE, SSL_CERT_DIR and HTTPS_PROXY of this process",
            ) from error
        return self._client

    def _made(self, verify: ssl.SSLContext | bool) -> httpx.AsyncClient:  # noqa: FBT001 - httpx's
        headers = {"Accept-Encoding": "identity", "User-Agent": "lota"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        return httpx.AsyncClient(
            base_url=self.url,
            headers=headers,
            verify=verify,
            timeout=httpx.Timeout(self._patience_s, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        )

    def _shown(self, text: str) -> str:
        if self._token:
            text = text.replace(self._token, "[token]")
        line = " ".join(text.split())
        return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."

    def _broken(self, error: Exception, place: str) -> PublishError:
        """Say what became of a request that has no answer."""
        if isinstance(error, TimeoutError | httpx.TimeoutException):
            return PublishError("timeout", f"{place}: no answer in time", hint="Repeat it later")
        reason = self._shown(str(error)) or type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ProxyError):
            trust = "CERTIFICATE" in reason
            return PublishError(
                "unreachable",
                f"{place}: {reason}",
                hint="Name its authority in SSL_CERT_FILE" if trust else "Is it up, and there?",
            )
        return PublishError("broken-off", f"{place}: {reason}", hint="Repeat it later")

    def _failure(self, answer: Answer, place: str) -> PublishError:
        """Say what a status means that is not a success."""
        status = answer.status
        what = f"{place}: {status}: {self.said(answer)}"
        if status in _REFUSED:
            hint = "Check the credential's token, and what it may do"
            return PublishError("refused", what, permanent=True, hint=hint)
        if status == httpx.codes.GONE:
            hint = "The service has closed: use another"
            return PublishError("gone", what, permanent=True, hint=hint)
        if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
            return PublishError("too-large", what, permanent=True, hint="Use smaller shards")
        if status == httpx.codes.REQUEST_TIMEOUT:
            return PublishError("timeout", what, hint="Repeat it later")
        if status == httpx.codes.TOO_MANY_REQUESTS:
            return PublishError("busy", what, hint="Repeat it later")
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return PublishError("unavailable", what, hint="Repeat it later")
        return PublishError("rejected", what, permanent=True, hint=_ANSWER_HINT)


def required(driver: str, credential: Mapping[str, str], field: str) -> str:
    """Return a field of a credential; raise `PublishError` naming it when it is not there."""
    value = credential.get(field)
    if not value:
        raise PublishError(
            "credential",
            f"the publisher {driver!r} needs a credential with the field {field!r}",
            permanent=True,
            hint="Give it to the node as LOTA_CRED_<NAME>_" + field.upper(),
        )
    return value


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _base_url(name: str, url: str) -> str:
    """Return `url` without a closing slash, or raise without showing it: it may hold a password."""
    try:
        parts = httpx.URL(url.rstrip("/"))
    except httpx.InvalidURL:
        parts = httpx.URL()
    bare = not (parts.userinfo or parts.query or parts.fragment)
    if parts.scheme not in {"http", "https"} or not parts.host or not bare:
        raise PublishError(
            "credential",
            f"the address for {name!r} cannot be used",
            permanent=True,
            hint="Give http(s)://host[:port][/path], and a secret in the field 'token' instead",
        )
    return str(parts).rstrip("/")


def _origin(url: str) -> str:
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


async def _read(response: httpx.Response, limit_bytes: int) -> Answer | None:
    """Read the body as it was sent; None when it is longer than the limit."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limit_bytes:
            return None
    return Answer(response.status_code, response.headers, bytes(body))


def _message(body: bytes) -> str:
    """Find the words in the error shapes of the services; else it is all words."""
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body[: 4 * _SHOWN].decode("utf-8", "replace")
    for field in ("error", "Message", "message"):
        if isinstance(said, dict) and field in said:
            said = said[field]
    if isinstance(said, dict):
        said = " ".join(str(said[field]) for field in ("reason", "details") if field in said)
    return said if isinstance(said, str) else body[: 4 * _SHOWN].decode("utf-8", "replace")
