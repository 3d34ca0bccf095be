"""Storing many messages fast: the fast-ingest batch of nats-server 2.14 and later.

Each message is stored as it arrives; the server acknowledges every so many of them, and the sender
stalls when two such acknowledgements are missing. What a message is to the batch stands in its
reply subject,

    <inbox>.<batch>.<flow>.fail.<number>.<operation>.$FI

where the operation 0 starts the batch, 1 appends and 3 ends it, itself storing nothing. `fail` ends
the batch at the first message that is missing, so that nothing is stored behind a gap. A message
whose id is there already is dropped and counted as stored. Source of the contract: ADR-50 of
nats-architecture-and-design, and what nats-server 2.15.1 was seen to answer.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from events.errors import LogError
from events.jetstream.api import ApiError
from events.jetstream.blocks import Outgoing, encode, lost, refuse_large, send_block

FLOW = 500
"""Messages per acknowledgement; the server of 2.15.1 grants no more."""

UNACKNOWLEDGED_FLOWS = 2
TIMEOUT_S = 10.0
TICK_S = 0.25
"""How soon a lost connection is noticed."""

OLDEST = (2, 14)
START, APPEND, END = 0, 1, 3


class Ingest(Protocol):
    """Stores messages in the order given; whatever goes wrong is raised and ends it."""

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Send these, in order; returns when there is room for more, not when they are stored.

        Raises LogUnavailable when answers stop coming, LogError when the server refuses.
        """
        ...

    async def finish(self) -> int:
        """Wait until all is stored and return the last position, 0 when nothing was sent.

        Raises what `send` does.
        """
        ...

    async def close(self) -> None:
        """Stop listening; safe to repeat."""
        ...


class _Reply(msgspec.Struct):
    """Every answer to a batch: an acknowledgement, a gap, an error, or the end's `stream`."""

    type: str = ""
    seq: int = 0
    msgs: int = 0
    stream: str = ""
    count: int = 0
    error: ApiError | None = None


def can_ingest(client: Client) -> bool:
    """Say whether the server knows fast ingest, by its version."""
    version = client.connected_server_version
    return (version.major, version.minor) >= OLDEST


class FastIngest:
    """One batch on one stream that has `allow_batched`; see `Ingest`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._connection: int = client.stats["reconnects"]
        self._sent = 0
        self._acknowledged = 0
        self._flow = 0
        self._subject = ""
        self._end: _Reply | None = None
        self._trouble: LogError | None = None
        self._heard = asyncio.Event()

    async def send(self, messages: Sequence[Outgoing]) -> None:
        for message in messages:
            refuse_large(self._client, message)
        at = 0
        if messages and not self._sent:
            # The first message alone: its answer says how many may be on their way.
            self._subject = messages[0].subject
            await self._listen()
            await self._send(messages[:1], START)
            at = 1
        while at < len(messages):
            while (room := self._room()) <= 0:
                await self._hear()
            await self._send(messages[at : at + room], APPEND)
            at += room

    async def finish(self) -> int:
        if not self._sent:
            return 0
        await self._send([Outgoing(self._subject, b"", {})], END)
        while self._end is None:
            await self._hear()
        if self._end.count != self._sent:
            raise LogError(
                f"the server stored {self._end.count} of {self._sent} messages",
                hint="import again",
            )
        return self._end.seq

    async def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._client.is_closed:
            await subscription.unsubscribe()

    async def _listen(self) -> None:
        self._subscription = await self._client.subscribe(f"{self._inbox}.>", cb=self._on_reply)

    def _room(self) -> int:
        """Return how many messages may be sent before another acknowledgement has come."""
        return UNACKNOWLEDGED_FLOWS * self._flow - (self._sent - self._acknowledged)

    async def _send(self, messages: Sequence[Outgoing], operation: int) -> None:
        if self._trouble is not None:
            raise self._trouble
        start, end = f"{self._inbox}.{FLOW}.fail.", f".{operation}.$FI"
        numbered = enumerate(messages, self._sent + 1)
        block = b"".join([encode(each, f"{start}{number}{end}") for number, each in numbered])
        if operation != END:
            self._sent += len(messages)
        await send_block(self._client, block)

    async def _hear(self) -> None:
        """Wait until something new is known: an acknowledgement, the end, or trouble."""
        if self._trouble is None:
            await wait_for_news(self._client, self._connection, self._heard)
        if self._trouble is not None:
            raise self._trouble

    async def _on_reply(self, message: Msg) -> None:
        reply = msgspec.json.decode(message.data, type=_Reply) if message.data else _Reply()
        if reply.error is not None:
            error = reply.error
            self._trouble = LogError(
                f"the server refused a message: {error.description} (error {error.err_code})"
            )
        elif reply.type == "ack":
            self._acknowledged = max(self._acknowledged, reply.seq)
            self._flow = reply.msgs
        elif reply.stream:
            self._end = reply
        else:
            self._trouble = lost("a message of the batch did not arrive")
        self._heard.set()


async def wait_for_news(client: Client, connection: int, heard: asyncio.Event) -> None:
    """Clear `heard` and wait until it is set over connection number `connection`.

    Raises LogUnavailable when the connection is lost, as what was sent may be lost with it, and
    when nothing is heard for `TIMEOUT_S`.
    """
    heard.clear()
    until_s = asyncio.get_running_loop().time() + TIMEOUT_S
    while not heard.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(TICK_S):
                await heard.wait()
        if not client.is_connected or client.stats["reconnects"] != connection:
            raise lost("the connection was lost")
        if asyncio.get_running_loop().time() > until_s:
            raise lost(f"nothing was heard for {TIMEOUT_S:.0f} s")
