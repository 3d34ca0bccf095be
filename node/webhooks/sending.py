"""One try to deliver one event, and what came of it.

Redirects are not followed, certificates are checked, and of an answer only its status and its
`Retry-After` count: what a host says that only this node can reach is for nobody else to read.
"""

import asyncio
import ssl
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import cache
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx

from node.webhooks.book import IN_FLIGHT_MAX
from node.webhooks.registry import WEBHOOKS_MAX

CONNECT_S = 10.0
ANSWER_S = 20.0
"""From the first byte sent to the end of the answer's head, the connection included."""
ANSWER_BYTES = 64 * 1024
BODY_S = 1.0
"""What is taken of the body of a success, so that the connection can be used again."""
CONNECTIONS_MAX = WEBHOOKS_MAX * IN_FLIGHT_MAX
"""So many that receivers which hang keep nobody else's deliveries waiting."""
CONTENT_TYPE = "application/cloudevents+json"


class Outcome(NamedTuple):
    """What a try came to, in words for people; a receiver that is `gone` wants nothing any more."""

    accepted: bool
    what: str
    hold_ms: int = 0
    gone: bool = False


class Sender:
    """Sends over connections that are kept; one for all webhooks of a node."""

    def __init__(self, version: str, *, answer_s: float = ANSWER_S) -> None:
        self._agent = f"lota/{version}"
        self._answer_s = answer_s
        self._client: httpx.AsyncClient | None = None

    async def send(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """Post a CloudEvents document as it is stored."""
        try:
            async with asyncio.timeout(self._answer_s):
                client = await self._opened()
                request = client.build_request(
                    "POST", url, content=body, headers={"Content-Type": CONTENT_TYPE, **headers}
                )
                response = await client.send(request, stream=True)
        except (TimeoutError, httpx.TimeoutException):
            return Outcome(accepted=False, what=f"no answer within {self._answer_s:g} s")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Outcome(accepted=False, what=_reason(error))
        try:
            return await self._outcome(response)
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close the connections; safe to repeat."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _outcome(self, response: httpx.Response) -> Outcome:
        """Judge by the status."""
        status = response.status_code
        if response.is_success:
            with suppress(TimeoutError, httpx.HTTPError):
                async with asyncio.timeout(BODY_S):
                    await _take(response)
            return Outcome(accepted=True, what=_named(status))
        if response.is_redirect:
            return Outcome(accepted=False, what=f"{_named(status)}: redirects are not followed")
        hold_ms = _retry_after_ms(response.headers.get("Retry-After", ""), time.time())
        gone = status == HTTPStatus.GONE
        return Outcome(accepted=False, what=_named(status), hold_ms=hold_ms, gone=gone)

    async def _opened(self) -> httpx.AsyncClient:
        if (client := self._client) is not None:
            return client
        # Reading the trusted certificates takes 40 ms, so a thread does it, and once.
        verify = await asyncio.to_thread(_tls)
        if self._client is None:
            self._client = self._made(verify)
        return self._client

    def _made(self, verify: ssl.SSLContext) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=verify,
            headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
            timeout=httpx.Timeout(self._answer_s, connect=CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # none is kept
            follow_redirects=False,
        )


async def _take(response: httpx.Response) -> None:
    taken = 0
    async for piece in response.aiter_raw():
        taken += len(piece)
        if taken > ANSWER_BYTES:
            return


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def _reason(error: Exception) -> str:
    """Say what became of a request that has no answer."""
    said = " ".join(str(error).split())[:120]
    if isinstance(error, httpx.RemoteProtocolError):
        return "the answer is no HTTP, or was cut off"
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {said}"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _retry_after_ms(text: str, now_s: float) -> int:
    """Return how long a receiver asks to be left alone: seconds or a date, 0 for anything else."""
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:  # noqa: PLR2004 - no year has more
        return int(text) * 1_000
    try:
        return max(0, round((parsedate_to_datetime(text).timestamp() - now_s) * 1_000))
    except (ValueError, TypeError, OverflowError):
        return 0
