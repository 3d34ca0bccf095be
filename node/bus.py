"""The bus: core NATS messages that are not stored: commands, heartbeats.

Losing one loses nothing, so nothing here waits, and what cannot be sent now is dropped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from events.heeding import heeding
from events.subjects import command, heartbeat
from node.orders import Orders

QUEUE_MAX = 100_000
PRESENT_S = 0.3

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Orders).decode


class Bus:
    """Sends in the order of the calls, by one task that drains what gathered in a turn."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._queue: list[tuple[str, bytes]] = []
        self._draining: asyncio.Task[None] | None = None

    def command(self, node: str, orders: Orders) -> None:
        """Send orders to a node."""
        self._send(command(node), _encode(orders))

    def beat(self, node: str) -> None:
        """Say that a node is present."""
        self._send(heartbeat(node), b"")

    async def take_commands(self, node: str, handle: Callable[[Orders], None]) -> "Stop":
        """Call `handle` with every order to `node`; what does not decode is logged and dropped."""

        async def on_message(message: Msg) -> None:
            if not message.data:
                return
            try:
                orders = _decode(message.data)
            except msgspec.DecodeError as error:
                log.warning("an order that does not decode was dropped: %s", error)
                return
            handle(orders)

        return await self._subscribe(command(node), on_message)

    async def hear_heartbeats(self, handle: Callable[[str], None]) -> "Stop":
        """Call `handle` with the name of every node that says it is present."""

        async def on_message(message: Msg) -> None:
            handle(message.subject.rsplit(".", 1)[-1])

        return await self._subscribe(heartbeat("*"), on_message)

    async def is_present(self, node: str) -> bool:
        """Whether a process takes commands by this name now."""
        try:
            await heeding(self._client.request(command(node), b"", timeout=PRESENT_S))
        except NoRespondersError:
            return False
        except NatsTimeoutError:
            return True
        return True

    async def _subscribe(
        self, subject: str, on_message: Callable[[Msg], Awaitable[None]]
    ) -> "Stop":
        subscription = await self._client.subscribe(subject, cb=on_message)

        async def stop() -> None:
            if not self._client.is_closed:
                await subscription.unsubscribe()

        return stop

    def _send(self, subject: str, payload: bytes) -> None:
        if len(self._queue) >= QUEUE_MAX:
            log.warning("the bus is full: a message to %s was dropped", subject)
            return
        self._queue.append((subject, payload))
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue, []
                for subject, payload in batch:
                    try:
                        await self._client.publish(subject, payload)
                    except (NatsError, OSError) as error:
                        log.debug("a message to %s was dropped: %s", subject, error)
        finally:
            self._draining = None


Stop = Callable[[], Awaitable[None]]
"""Ends a subscription."""
