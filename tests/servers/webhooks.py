"""A receiver of webhooks that answers as a test wants: well, badly, late, never or with garbage."""

import asyncio
import json
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple, Self

from tests.lota_process import PATIENCE_S

HANG = b""
"""The answer that never comes."""


class Delivered(NamedTuple):
    """One request; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """The event's id, as the header says it."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The document."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def job(self) -> str:
        """The job that it is of."""
        return str(self.event["subject"])


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Spell an answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Receiver:
    """Serves on the loopback interface; what it has answered 200 to is in `taken`.

    `answer` makes the bytes of each answer. What comes is in `delivered`, in order.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.answer: Callable[[Delivered], bytes] = lambda delivered: reply(200)
        self.delivered: list[Delivered] = []
        self.taken: list[Delivered] = []
        self.connections = 0
        self._port = 0
        self._more = asyncio.Condition()
        self._serving: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """Where to post to."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self._port}/hook"

    async def open(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, ssl=self._tls
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Be gone, in the midst of whatever is under way."""
        assert self._server is not None
        self._server.close()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something holds after a delivery, or at once."""
        try:
            async with asyncio.timeout(PATIENCE_S), self._more:
                await self._more.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"{len(self.delivered)} came, {len(self.taken)} taken") from None

    async def until_taken(self, *ids: str) -> None:
        """Wait until all of these events have been taken."""
        await self.until(lambda: {it.id for it in self.taken} >= set(ids))

    def first_taken(self) -> dict[str, list[str]]:
        """Return the ids of the events of each job, in the order in which they first were taken."""
        found: dict[str, dict[str, None]] = {}
        for it in self.taken:
            found.setdefault(it.job, {}).setdefault(it.id)
        return {job: list(ids) for job, ids in found.items()}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._one(reader, writer)
        finally:
            self._serving.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, path, _ = first.split(" ")
        delivered = Delivered(method, path, headers, body)
        answer = self.answer(delivered)
        async with self._more:
            self.delivered.append(delivered)
            if answer.startswith(b"HTTP/1.1 2"):
                self.taken.append(delivered)
            self._more.notify_all()
        if answer == HANG:
            await asyncio.Event().wait()
        writer.write(answer)
        await writer.drain()
        if not answer.startswith(b"HTTP/1.1 "):
            raise ConnectionError  # after garbage nobody knows where the next answer begins
