"""Reading without gaps and repeats, whatever becomes of the consumer, connection or server."""

import asyncio
import logging
from base64 import b64decode
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from nats.aio.client import Client

from events.errors import LogError, LogUnavailable, NotAdmitted
from events.jetstream.api import StreamMissing, last_message, message_at
from events.jetstream.consumer import Consumer, ConsumerLost, as_record
from events.log import EVERYTHING, Record, refuse_gap
from events.wildcards import refuse_overlap

WHOLE = ">"

TICK_S = 0.25
"""How soon a reader that waits notices a reconnect and the log's end."""

FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 1.0
READ_PATIENCE_S = 30.0
"""How long a read, which is to end, waits for a server that is away."""

ANOTHER_END = "the server was wiped, is another one, or has an older backup: begin again"

log = logging.getLogger(__name__)


class Reader:
    """Reads one stream over one connection until `close`."""

    def __init__(self, client: Client, stream: str) -> None:
        self._client = client
        self._stream = stream
        self._closed = False
        self._missing = False

    def close(self) -> None:
        """End what is being read and followed."""
        self._closed = True

    async def last(self, filter: str) -> int:
        """Return the position of the last message by `filter`, 0 if none, from the leader."""
        self.check_open()
        found = await last_message(self._client, self._stream, _asked(filter))
        return found.seq if found else 0

    async def read(self, filters: Sequence[str], after: int) -> AsyncGenerator[list[Record], None]:
        """Yield what is stored when this begins.

        The end is what the leader says: a consumer may run on a replica that lags behind.
        """
        refuse_overlap(filters)
        end = await self._end(filters)
        if end <= after:
            return
        async with aclosing(self._batches(filters, after, READ_PATIENCE_S)) as batches:
            async for batch in batches:
                if batch[-1].position >= end:
                    yield [record for record in batch if record.position <= end]
                    return
                yield batch
        self.check_open()

    async def follow(
        self, filters: Sequence[str], after: int
    ) -> AsyncGenerator[list[Record], None]:
        """Yield what is stored and what comes, until `close`."""
        refuse_overlap(filters)
        async with aclosing(self._batches(filters, after, None)) as batches:
            async for batch in batches:
                yield batch

    async def _end(self, filters: Sequence[str]) -> int:
        """Return the last position by any filter; servers that elect a leader are waited for."""
        retry = _Retry(READ_PATIENCE_S)
        while True:
            try:
                return max(await asyncio.gather(*map(self.last, filters)))
            except NotAdmitted:
                raise
            except LogUnavailable as error:
                self.check_open()
                await retry.wait(error)

    async def _batches(
        self, filters: Sequence[str], after: int, patience_s: float | None
    ) -> AsyncGenerator[list[Record], None]:
        consumer: Consumer[Record] | None = None
        latest: Record | None = None
        retry = _Retry(patience_s)
        whole = tuple(filters) == (EVERYTHING,)
        asked = list(map(_asked, filters))
        try:
            while not self._closed:
                try:
                    if consumer is None:
                        await self._refuse_shorter_log(after)
                        await self._refuse_another_end(latest)
                        consumer = Consumer(self._client, self._stream, asked, after, as_record)
                        await consumer.open()
                        self._missing = False
                    batch = await consumer.take(TICK_S)
                except (ConsumerLost, LogUnavailable) as error:
                    if consumer is not None:
                        await consumer.close()
                    consumer = None
                    await self._recover(retry, error)
                    continue
                if batch:
                    if whole:
                        refuse_gap(after, batch)
                    retry.succeeded()
                    latest = batch[-1]
                    after = latest.position
                    yield batch
        finally:
            if consumer is not None:
                await consumer.close()

    async def _recover(self, retry: "_Retry", error: LogError) -> None:
        """Wait before the next try, or raise when there is no use in one."""
        if self._closed:
            return
        self.check_open()
        if isinstance(error, StreamMissing) and not self._missing:
            self._missing = True
            log.warning(
                "the server has no stream %s any more, as if it was wiped: waiting for one",
                self._stream,
            )
        log.info("reading %s begins again: %s", self._stream, error.what)
        await retry.wait(error)

    async def _refuse_shorter_log(self, after: int) -> None:
        """A position that the log has not reached is of another log; here it would be silence."""
        end = await self.last(EVERYTHING) if after else 0
        if end < after:
            raise LogError(
                f"the log ends at {end}, before {after}, which it had already come to",
                hint=ANOTHER_END,
            )

    async def _refuse_another_end(self, latest: Record | None) -> None:
        """A log that lost its end may have grown beyond what was read of it by now."""
        if latest is None:
            return
        found = await message_at(self._client, self._stream, latest.position)
        if found is None:
            return
        if (found.subject, b64decode(found.data)) != (latest.subject, latest.body):
            raise LogError(
                f"the log has another message at {latest.position} than it had before",
                hint=ANOTHER_END,
            )

    def check_open(self) -> None:
        """Raise `LogUnavailable` when this was closed, or the connection."""
        if self._closed or self._client.is_closed:
            raise LogUnavailable("the log is closed", hint="connect again")


def _asked(filter: str) -> str:
    """Return the filter to ask a server with.

    It knows at once what all of a stream is; a pattern it holds against each subject, which takes a
    tenth of a second where there are some hundred thousand.
    """
    return WHOLE if filter == EVERYTHING else filter


class _Retry:
    """Longer and longer waits, given up on when `patience_s` have passed without a success."""

    def __init__(self, patience_s: float | None) -> None:
        self._patience_s = patience_s
        self.succeeded()

    def succeeded(self) -> None:
        self._wait_s = FIRST_RETRY_S
        self._failing_since_s: float | None = None

    async def wait(self, error: LogError) -> None:
        now_s = asyncio.get_running_loop().time()
        since_s = self._failing_since_s = self._failing_since_s or now_s
        if self._patience_s is not None and now_s - since_s >= self._patience_s:
            raise LogUnavailable(
                f"nothing could be read for {now_s - since_s:.0f} s ({error.what})",
                hint="is the server up?",
            ) from error
        await asyncio.sleep(self._wait_s)
        self._wait_s = min(2 * self._wait_s, LONGEST_RETRY_S)
