"""Storing many messages on a server without fast ingest: each is answered, many are under way."""

import asyncio
from collections.abc import Sequence

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from events.errors import LogError
from events.jetstream.api import ApiError
from events.jetstream.blocks import Outgoing, encode, lost, refuse_large, send_block
from events.jetstream.ingest import wait_for_news

UNANSWERED_MAX = 2_000
BLOCK_MESSAGES = 200


class _PubAck(msgspec.Struct):
    seq: int = 0
    error: ApiError | None = None


class PipelinedIngest:
    """Plain publishes with a bound on those unanswered; see `events.jetstream.ingest.Ingest`.

    The messages of one connection are stored in the order in which they are sent.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._connection: int = client.stats["reconnects"]
        self._sent = 0
        self._answered = 0
        self._position = 0
        self._trouble: LogError | None = None
        self._heard = asyncio.Event()

    async def send(self, messages: Sequence[Outgoing]) -> None:
        if self._subscription is None:
            self._subscription = await self._client.subscribe(self._inbox, cb=self._on_answer)
        for message in messages:
            refuse_large(self._client, message)
        for at in range(0, len(messages), BLOCK_MESSAGES):
            part = messages[at : at + BLOCK_MESSAGES]
            self._sent += len(part)
            await send_block(self._client, b"".join([encode(each, self._inbox) for each in part]))
            await self._wait_for(self._sent - UNANSWERED_MAX)

    async def finish(self) -> int:
        await self._wait_for(self._sent)
        return self._position

    async def close(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None and not self._client.is_closed:
            await subscription.unsubscribe()

    async def _wait_for(self, answers: int) -> None:
        """Wait until so many messages have been answered, all of them well."""
        while self._answered < answers and self._trouble is None:
            await wait_for_news(self._client, self._connection, self._heard)
        if self._trouble is not None:
            raise self._trouble

    async def _on_answer(self, message: Msg) -> None:
        answer = msgspec.json.decode(message.data, type=_PubAck) if message.data else _PubAck()
        if answer.error is not None:
            error = answer.error
            self._trouble = LogError(
                f"the server refused a message: {error.description} (error {error.err_code})"
            )
        elif not answer.seq:
            self._trouble = lost("no stream takes them")
        else:
            self._answered += 1
            self._position = max(self._position, answer.seq)
        self._heard.set()
