"""A TCP proxy between a client and a server that can lose, hold and cut what passes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
CHUNK_BYTES = 64 * 1024


class TcpProxy:
    """Forwards to the port `upstream` of this host.

    While `lose_answers` is set, what the server sends is thrown away; `lost` is set when that
    first happened. While `refuse` is set, new connections are closed at once. While `flowing` is
    cleared, what the server sends waits here; `held` is set when that first happened. With `halve`
    the first half of a message passes at which connections are cut, and they end in good order.
    """

    def __init__(self, upstream: int) -> None:
        self.port = 0
        self.lose_answers = False
        self.refuse = False
        self.lost = asyncio.Event()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.held = asyncio.Event()
        self.halve = False
        self._passed = 0
        self._break_at: int | None = None
        self._broken: Callable[[], None] | None = None
        self._among = b""
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The address for NATS clients."""
        return f"nats://{HOST}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.flowing.set()
        self.cut()
        await self._server.wait_closed()
        if self._serving:
            await asyncio.wait(self._serving)

    def cut(self) -> None:
        """Abort every connection, as a pulled cable and a reset would."""
        for writer in self._writers:
            writer.transport.abort()

    async def idle(self) -> None:
        """Cut all connections and wait until they are gone: what was on its way in them is not
        counted with what comes next.
        """
        self.cut()
        if self._serving:
            await asyncio.wait(set(self._serving))

    def break_at(
        self, step: int | None, also: Callable[[], None] | None = None, *, among: bytes = b""
    ) -> None:
        """Cut all connections instead of passing on the message that has so many before it.

        A message is what arrives at once, either way; those that hold `among` are counted from
        here on. `also` is called just before. None ends it.
        """
        self._passed = 0
        self._break_at = step
        self._broken = also
        self._among = among

    @property
    def broke(self) -> bool:
        """Whether it has come to that message."""
        return self._break_at is not None and self._passed > self._break_at

    def _breaks(self, message: bytes) -> bool:
        if self._among not in message:
            return False
        self._passed += 1
        return self._break_at is not None and self._passed == self._break_at + 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        if self.refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._upstream)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._writers |= both
        try:
            await asyncio.gather(
                self._forward(reader, far_writer, answers=False),
                self._forward(far_reader, writer, answers=True),
            )
        finally:
            self._writers -= both

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(CHUNK_BYTES):
                if self._breaks(chunk):
                    if self._broken is not None:
                        self._broken()
                    if self.halve:
                        sink.write(chunk[: len(chunk) // 2])
                        for writer in self._writers:
                            writer.close()
                    else:
                        self.cut()
                    return
                if answers and not self.flowing.is_set():
                    self.held.set()
                    await self.flowing.wait()
                if answers and self.lose_answers:
                    self.lost.set()
                    continue
                sink.write(chunk)
                await sink.drain()
        sink.close()
