"""The append path: one inbox, one table of what waits for its answer, one timer.

A task and a header copy per event, as in `js.publish`, halve the rate; `publish_async` never
reports an error. Here an append costs a table entry and its part of a drain task that runs once
per turn of the event loop.
"""

import asyncio
from collections import deque
from functools import partial

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.errors import MaxPayloadError

from events.errors import AppendTimeout, LogError, LogUnavailable, WrongExpectedPosition
from events.jetstream.api import (
    UNAVAILABLE,
    WRONG_LAST_SEQUENCE,
    WRONG_LAST_SEQUENCE_IN_FLIGHT,
    ApiError,
    last_message,
)
from events.log import Expect

CONTENT_TYPE = "application/cloudevents+json"
MESSAGE_ID = "Nats-Msg-Id"
EXPECTED_POSITION = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_FILTER = "Nats-Expected-Last-Subject-Sequence-Subject"

CONFLICTS = (WRONG_LAST_SEQUENCE, WRONG_LAST_SEQUENCE_IN_FLIGHT)
TICK_S = 0.1
MAX_WAITING = 65_536
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""What may wait for answers; beyond it appends are refused, so that memory stays bounded."""


class _PubAck(msgspec.Struct):
    """The server's answer to one append; a repeat has `duplicate` and the first's position."""

    seq: int = 0
    error: ApiError | None = None


class _Waiting:
    """One append without an answer. `connection` counts the connections before the one it used."""

    __slots__ = ("answer", "body", "connection", "deadline", "expect", "id", "subject")

    def __init__(
        self,
        answer: "asyncio.Future[int]",
        subject: str,
        body: bytes,
        id: str,
        expect: Expect | None,
        deadline: float,
    ) -> None:
        self.answer = answer
        self.subject = subject
        self.body = body
        self.id = id
        self.expect = expect
        self.deadline = deadline
        self.connection = -1


class Appender:
    """Appends to one stream over one connection; `timeout_s` bounds the wait for each answer."""

    def __init__(self, client: Client, stream: str, *, timeout_s: float) -> None:
        self._client = client
        self._stream = stream
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._inbox = client.new_inbox() + "."
        self._answers: Subscription | None = None
        self._count = 0
        self._waiting: dict[int, _Waiting] = {}
        self._waiting_bytes = 0
        self._unsent: deque[int] = deque()
        self._drain: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._lookups: set[asyncio.Task[None]] = set()
        self._decode = msgspec.json.Decoder(_PubAck).decode
        self._closed = False

    async def open(self) -> None:
        """Listen for answers."""
        self._answers = await self._client.subscribe(f"{self._inbox}*", cb=self._on_answer)

    def append(
        self, subject: str, body: bytes, *, id: str, expect: Expect | None
    ) -> "asyncio.Future[int]":
        """Queue one append; see `events.log.Log.append`."""
        answer: asyncio.Future[int] = self._loop.create_future()
        if self._closed or self._client.is_closed:
            answer.set_exception(LogUnavailable("the log is closed", hint="connect again"))
            return answer
        if len(self._waiting) >= MAX_WAITING or self._waiting_bytes >= MAX_WAITING_BYTES:
            answer.set_exception(
                LogUnavailable(
                    f"{len(self._waiting)} appends wait for their answers already",
                    hint="await some before appending more",
                )
            )
            return answer
        self._count += 1
        deadline = self._loop.time() + self._timeout_s
        self._waiting[self._count] = _Waiting(answer, subject, body, id, expect, deadline)
        self._waiting_bytes += len(body)
        self._unsent.append(self._count)
        if self._drain is None:
            self._drain = self._loop.create_task(self._send_all())
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)
        return answer

    async def close(self) -> None:
        """Fail what waits and stop listening."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        running = [*self._lookups, *([self._drain] if self._drain else [])]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for token in list(self._waiting):
            self._fail(token, LogUnavailable("the log was closed before the append was answered"))
        if self._answers is not None and not self._client.is_closed:
            await self._answers.unsubscribe()
        self._answers = None

    async def _send_all(self) -> None:
        try:
            while self._unsent:
                token = self._unsent.popleft()
                if (waiting := self._waiting.get(token)) is not None:
                    await self._send(token, waiting)
        finally:
            self._drain = None

    async def _send(self, token: int, waiting: _Waiting) -> None:
        headers = {"Content-Type": CONTENT_TYPE, MESSAGE_ID: waiting.id}
        if waiting.expect is not None:
            headers[EXPECTED_POSITION] = str(waiting.expect.position)
            headers[EXPECTED_FILTER] = waiting.expect.filter
        waiting.connection = self._connection()
        reply = f"{self._inbox}{token}"
        try:
            await self._client.publish(waiting.subject, waiting.body, reply, headers)
        except MaxPayloadError:
            size = len(waiting.body)
            self._fail(token, LogError(f"{size} bytes are too large for one event on this server"))
        except (NatsError, OSError) as error:
            self._fail(
                token,
                LogUnavailable(
                    f"the append was not sent ({str(error) or type(error).__name__})",
                    hint="wait for the server to come back and repeat it",
                ),
            )

    def _connection(self) -> int:
        """Count the connections so far; what is sent during an outage goes to the next one."""
        made: int = self._client.stats["reconnects"]
        return made if self._client.is_connected else made + 1

    async def _on_answer(self, message: Msg) -> None:
        token = int(message.subject[len(self._inbox) :])
        waiting = self._waiting.get(token)
        if waiting is None:
            return
        if not message.data:
            self._fail(
                token,
                LogUnavailable(
                    f"no stream takes {waiting.subject}",
                    hint="is JetStream on, and the log there? While its beginning is archived it "
                    "takes nothing for a moment: try again",
                ),
            )
            return
        answer = self._decode(message.data)
        if answer.error is None:
            self._forget(token)
            if not waiting.answer.done():
                waiting.answer.set_result(answer.seq)
        elif answer.error.err_code in CONFLICTS:
            self._look_up(token, waiting, answer.error)
        else:
            self._fail(token, _refusal(answer.error))

    def _look_up(self, token: int, waiting: _Waiting, error: ApiError) -> None:
        """Tell a true conflict from the repeat of an append whose answer was lost.

        A stream of one replica checks the fence first, so the repeat conflicts with itself; the
        last message of the same subject then has our id.
        """
        self._forget(token)
        task = self._loop.create_task(self._settle(waiting, error))
        self._lookups.add(task)
        task.add_done_callback(partial(self._settled, waiting))

    async def _settle(self, waiting: _Waiting, error: ApiError) -> None:
        stored = await last_message(self._client, self._stream, waiting.subject)
        if waiting.answer.done():
            return
        if stored is not None and stored.has_header(MESSAGE_ID, waiting.id):
            waiting.answer.set_result(stored.seq)
            return
        fence = f" by {waiting.expect.filter}" if waiting.expect else ""
        waiting.answer.set_exception(
            WrongExpectedPosition(
                f"another writer appended first{fence}: {error.description}",
                hint="read on from the fold and decide again",
            )
        )

    def _settled(self, waiting: _Waiting, task: "asyncio.Task[None]") -> None:
        self._lookups.discard(task)
        failed = task.cancelled() or task.exception() is not None
        if failed and not waiting.answer.done():
            waiting.answer.set_exception(_timeout(waiting))

    def _tick(self) -> None:
        """Give up on what is overdue or was sent over a connection that is gone."""
        now, connection = self._loop.time(), self._client.stats["reconnects"]
        gone = [
            token
            for token, waiting in self._waiting.items()
            if waiting.deadline <= now or 0 <= waiting.connection < connection
        ]
        for token in gone:
            self._fail(token, _timeout(self._waiting[token]))
        self._timer = self._loop.call_later(TICK_S, self._tick) if self._waiting else None

    def _fail(self, token: int, error: LogError) -> None:
        waiting = self._forget(token)
        if not waiting.answer.done():
            waiting.answer.set_exception(error)

    def _forget(self, token: int) -> _Waiting:
        waiting = self._waiting.pop(token)
        self._waiting_bytes -= len(waiting.body)
        return waiting


def _timeout(waiting: _Waiting) -> AppendTimeout:
    return AppendTimeout(
        f"no answer to the append of {waiting.id} to {waiting.subject}",
        hint="it may or may not be stored: repeat it with the same id",
    )


def _refusal(error: ApiError) -> LogError:
    what = f"the server refused the append: {error.description} (error {error.err_code})"
    return LogUnavailable(what) if error.code == UNAVAILABLE else LogError(what)
