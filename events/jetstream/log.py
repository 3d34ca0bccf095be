"""The log's port on one JetStream stream."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from nats.aio.client import Client

from events.archive.lines import Header
from events.errors import ReadOnlyLog
from events.jetstream.appender import Appender
from events.jetstream.base import read_base
from events.jetstream.reader import Reader
from events.jetstream.stream import STREAM, ensure_stream
from events.log import EVERYTHING, Base, Expect, Record

APPEND_TIMEOUT_S = 5.0


class JetStreamLog:
    """Appends and reads over one connection, which stays the caller's; see `events.log.Log`.

    `twin` says of what log this is a copy to look at; None is the log itself.
    """

    def __init__(
        self, client: Client, appender: Appender, reader: Reader, twin: Header | None = None
    ) -> None:
        self.twin = twin
        self._client = client
        self._appender = appender
        self._reader = reader

    def require_writable(self) -> None:
        """Raise `ReadOnlyLog` when this is a twin, before anything is prepared in vain."""
        if self.twin is not None:
            raise ReadOnlyLog(
                "this server holds a twin: a copy of a log, to be looked at",
                hint="this is done on the server that the log comes from (see LOTA_SERVER)",
            )

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None = None
    ) -> "asyncio.Future[int]":
        try:
            self.require_writable()
        except ReadOnlyLog as error:
            refused: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return self._appender.append(subject, body, id=id, expect=expect)

    async def base(self) -> Base | None:
        self._reader.check_open()
        return await read_base(self._client)

    def read(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        return self._reader.read(filters, after)

    def follow(
        self, filters: Sequence[str] = (EVERYTHING,), *, after: int = 0
    ) -> AsyncIterator[list[Record]]:
        return self._reader.follow(filters, after)

    async def last(self, filter: str = EVERYTHING) -> int:
        return await self._reader.last(filter)

    async def close(self) -> None:
        self._reader.close()
        await self._appender.close()


async def open_log(
    client: Client,
    *,
    replicas: int = 1,
    republish: bool = False,
    append_timeout_s: float = APPEND_TIMEOUT_S,
) -> JetStreamLog:
    """Attach to the log over `client`, and create its stream if nobody has yet.

    `replicas` and `republish` (to `lota.live.>`, at about a fifth of the throughput) are for the
    creation; a stream that has less than asked for is a `StreamMismatch`, as is one that could
    lose history. Raises `LogUnavailable` when the server has no JetStream.
    """
    twin = await ensure_stream(client, replicas=replicas, republish=republish)
    appender = Appender(client, STREAM, timeout_s=append_timeout_s)
    await appender.open()
    return JetStreamLog(client, appender, Reader(client, STREAM), twin)
