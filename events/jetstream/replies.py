"""Requests whose answer may be several messages, all through one inbox.

nats-py's `request` makes a future and a timer for one answer each. Here the last token of the reply
subject says which request a message belongs to, what comes is handed over inside the callback, and
one timer watches over all that waits. So a batch of large messages needs no subscription of its
own, and what is asked in one order is sent in that order.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from events.errors import LogError, LogUnavailable
from events.jetstream.api import denies, not_admitted

TICK_S = 0.1
SILENCE_S = 10.0
"""How long nothing may come, of whatever was asked: a slow network is not a lost one."""

LONGEST_S = 120.0
"""How long one answer may say nothing while others come."""

T = TypeVar("T")
Take = Callable[[Msg], T | None]
"""Given each message of an answer; returns what the answer comes to, None while more is to come."""


class _Waiting(Generic[T]):
    __slots__ = ("answer", "connection", "denied", "heard_s", "subject", "take")

    def __init__(
        self,
        answer: "asyncio.Future[T]",
        take: Take[T],
        subject: str,
        heard_s: float,
        connection: int,
        denied: Exception | None,
    ) -> None:
        self.answer = answer
        self.take = take
        self.subject = subject
        self.heard_s = heard_s
        self.connection = connection
        self.denied = denied


class Replies:
    """The inbox of one user of a connection."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox() + "."
        self._subscription: Subscription | None = None
        self._opening = asyncio.Lock()
        self._count = 0
        self._waiting: dict[int, _Waiting[Any]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._heard_s = 0.0

    async def ask(
        self,
        subject: str,
        body: bytes,
        take: Take[T],
        headers: Mapping[str, str] | None = None,
    ) -> "asyncio.Future[T]":
        """Send a request, after all that were asked before, and return its answer to come.

        The future raises what `take` raises; `LogUnavailable` when the answer stops coming or the
        connection is lost; `NotAdmitted` when the server does not let us publish to `subject`.
        Nothing is sent again: whoever asks knows whether that would be safe.
        """
        self.require_connection()
        await self._open()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()
        self._count += 1
        token = self._count
        self._waiting[token] = _Waiting(
            answer,
            take,
            subject,
            loop.time(),
            self._client.stats["reconnects"],
            self._client.last_error,
        )
        answer.add_done_callback(lambda _: self._waiting.pop(token, None))
        if self._timer is None:
            self._timer = loop.call_later(TICK_S, self._tick)
        try:
            await self._client.publish(
                subject, body, f"{self._inbox}{token}", dict(headers) if headers else None
            )
        except (NatsError, OSError) as error:
            answer.cancel()
            raise _unavailable(str(error) or type(error).__name__) from error
        except BaseException:
            answer.cancel()
            raise
        return answer

    def require_connection(self) -> None:
        """Raise `LogUnavailable` at once while the connection is lost, rather than after a wait."""
        if not self._client.is_connected:
            raise _unavailable("there is no connection to the server")

    async def close(self) -> None:
        """Stop listening; what waits is given up. Safe to repeat."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiting in list(self._waiting.values()):
            _fail(waiting, _unavailable("it was closed while answers were on their way"))
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._client.is_closed:
            with suppress(NatsError, OSError):
                await subscription.unsubscribe()

    async def _open(self) -> None:
        if self._subscription is not None:
            return
        async with self._opening:
            if self._subscription is None:
                # What is on its way is bounded by what was asked, not by nats-py's limits.
                self._subscription = await self._client.subscribe(
                    f"{self._inbox}*",
                    cb=self._on_message,
                    pending_msgs_limit=0,
                    pending_bytes_limit=0,
                )

    async def _on_message(self, message: Msg) -> None:
        waiting = self._waiting.get(int(message.subject[len(self._inbox) :]))
        if waiting is None or waiting.answer.done():
            return
        self._heard_s = waiting.heard_s = asyncio.get_running_loop().time()
        try:
            result = waiting.take(message)
        except LogError as error:
            _fail(waiting, error)
            return
        except (ValueError, KeyError, msgspec.MsgspecError) as error:
            _fail(waiting, LogError(f"the answer to {waiting.subject} cannot be read: {error}"))
            return
        if result is not None:
            waiting.answer.set_result(result)

    def _tick(self) -> None:
        """Give up on what is silent, was asked over a lost connection, or was not permitted."""
        now_s = asyncio.get_running_loop().time()
        connection, error = self._client.stats["reconnects"], self._client.last_error
        for waiting in list(self._waiting.values()):
            if error is not waiting.denied and denies(error, waiting.subject):
                _fail(waiting, not_admitted(waiting.subject))
            elif waiting.connection != connection or not self._client.is_connected:
                _fail(waiting, _unavailable("the connection was lost"))
            elif (
                now_s - max(self._heard_s, waiting.heard_s) > SILENCE_S
                or now_s - waiting.heard_s > LONGEST_S
            ):
                _fail(waiting, _unavailable(f"there was no answer to {waiting.subject}"))
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick) if self._waiting else None


def _fail(waiting: _Waiting[Any], error: LogError) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)
        waiting.answer.exception()  # whoever gave up on it does not want to hear of it


def _unavailable(what: str) -> LogUnavailable:
    return LogUnavailable(what, hint="is the server up, and JetStream enabled?")
