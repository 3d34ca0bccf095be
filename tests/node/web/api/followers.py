"""Clients of a stream of events, many at a time: they count what comes, or stop reading."""

import asyncio
import re
from urllib.parse import urlsplit

IDS = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Follower(asyncio.Protocol):
    """One client; `ids` are the positions of the events that have come, in their order."""

    def __init__(self, path: str, headers: str = "") -> None:
        self.ids: list[int] = []
        self.status = 0
        self.pings = 0
        self.text = b""
        self.begun = asyncio.Event()
        self.came = asyncio.Event()
        self.ended = asyncio.Event()
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()
        self._rest = b""
        self._keep = False

    @classmethod
    async def connect(
        cls, url: str, path: str, *, headers: str = "", stalled: bool = False, keep: bool = False
    ) -> "Follower":
        """Follow, from the answer's head on; one that is stalled reads no further than that."""
        parts = urlsplit(url)
        loop = asyncio.get_running_loop()
        follower = cls(path, headers)
        follower._keep = keep
        assert parts.hostname is not None
        assert parts.port is not None
        await loop.create_connection(lambda: follower, parts.hostname, parts.port)
        await follower.begun.wait()
        if stalled:
            follower.transport.pause_reading()
        return follower

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._keep:
            self.text += data
        lines, newline, self._rest = (self._rest + data).rpartition(b"\n")
        lines += newline
        if not self.status and lines:
            self.status = int(lines.split(b" ", 2)[1])
            self.begun.set()
        self.pings += lines.count(b": ping\n")
        self.ids += map(int, IDS.findall(lines))
        self.came.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.begun.set()
        self.came.set()
        self.ended.set()

    async def until(self, position: int) -> None:
        """Wait until the event of a position has come, or the stream has ended."""
        while not self.ended.is_set() and (not self.ids or self.ids[-1] < position):
            self.came.clear()
            await self.came.wait()

    def close(self) -> None:
        """Go without a word."""
        self.transport.abort()
