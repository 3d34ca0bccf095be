"""One short-lived consumer and its inbox: pull requests out, messages in, nothing else.

nats-py's `fetch` makes a task and a timer per message. Here a callback puts what arrives on a
list, and whoever reads takes the whole list at once. Positions come from the reply subject, which
is cut by hand: nats-py's own parser costs ten times as much.

Memory is bounded by the pull requests: two are out at a time, each for at most `PULL_MESSAGES` and
`PULL_BYTES`, and a new one goes out only when the reader has taken what came.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Generic, TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from events.errors import LogError
from events.jetstream.api import call
from events.log import Record

FIRST_MESSAGES = 250
FIRST_BYTES = 2 * 1024 * 1024
"""Asked for at first, and then twice as much each time until `PULL_MESSAGES` and `PULL_BYTES`: who
reads a page is not sent all that the server has behind it. What was asked for comes even when its
reader has ended, and a server cuts off who lets too much wait.
"""
PULL_MESSAGES = 2_000
PULL_BYTES = 8 * 1024 * 1024
PULLS_OUT = 2
PULL_EXPIRES_S = 30
HEARTBEAT_S = 2
SILENCE_S = 3 * HEARTBEAT_S
IDLE_S = 60
"""The server removes a consumer that nobody has asked anything for so long."""

NANOSECONDS = 1_000_000_000
MILLISECOND_DIGITS = 13
"""Of a time in nanoseconds, as long as that has 19 digits: from 2001 to 2262."""
SHORT_REPLY_TOKENS = 9
SHORT_POSITION_TOKEN = 5
LONG_POSITION_TOKEN = 7
"""`$JS.ACK.<stream>.<consumer>.<delivered>.<position>.<number>.<time>.<pending>`; the long form
has a domain and an account behind `ACK` and may end in a random token."""

HEARTBEAT = "100"
ENDS = (
    "404 No Messages",
    "408 Request Timeout",
    "409 Batch Completed",
    "409 Message Size Exceeds MaxBytes",
)
"""How a pull request ends while all is well; each says how much of it was not met."""


class ConsumerLost(LogError):
    """The consumer is gone or messages are missing: make another from the last position on."""


class _Created(msgspec.Struct):
    name: str
    num_pending: int = 0


T = TypeVar("T")
Build = Callable[[int, str, Msg], T]
"""Makes of a message what is delivered, given its position and the end of its reply subject, from
the server's time in nanoseconds on."""


def as_record(position: int, time: str, message: Msg) -> Record:
    """Build what a fold needs of a message."""
    return Record(position, message.subject, message.data, int(time[:MILLISECOND_DIGITS]))


class Consumer(Generic[T]):
    """Delivers, once and in order, what `filters` select in `stream` behind `after`.

    Whatever goes wrong raises `ConsumerLost` from `take`; then nothing was skipped and nothing
    came twice, and a new consumer from the last record's position goes on.
    """

    def __init__(
        self, client: Client, stream: str, filters: Sequence[str], after: int, build: Build[T]
    ) -> None:
        self._client = client
        self._build = build
        self._stream = stream
        self._filters = list(filters)
        self._after = after
        self._name = "r" + client.new_inbox().rpartition(".")[2]
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None
        self._arrived: list[Msg] = []
        self._signal = asyncio.Event()
        self._asked = 0
        self._most = FIRST_MESSAGES
        self._most_bytes = FIRST_BYTES
        self._stored = 0
        self._live = False
        self._number = 0
        self._cut = 0
        self._trouble = ""
        self._connection = -1
        self._heard_s = 0.0

    async def open(self) -> None:
        """Create the consumer and ask for the first messages.

        Raises `Refused` when the server does not take the filters, and `LogUnavailable`.
        """
        self._connection = self._client.stats["reconnects"]
        subject = f"CONSUMER.CREATE.{self._stream}.{self._name}"
        if len(self._filters) == 1:
            subject += f".{self._filters[0]}"
        created = await call(self._client, subject, self._request(), _Created)
        self._stored = created.num_pending
        self._subscription = await self._client.subscribe(
            self._inbox, cb=self._on_message, pending_msgs_limit=0, pending_bytes_limit=0
        )
        self._heard_s = asyncio.get_running_loop().time()
        await self._ask_for_stored()

    async def take(self, wait_s: float) -> list[T]:
        """Return what has come, waiting up to `wait_s` for it; empty when nothing has."""
        if self._trouble:
            raise ConsumerLost(self._trouble)
        if not self._arrived:
            if not self._stored:
                self._live = True
                await self._ask()
            self._signal.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._signal.wait()
            except TimeoutError:
                self._check_alive()
                return []
        arrived, self._arrived = self._arrived, []
        self._heard_s = asyncio.get_running_loop().time()
        records = self._records(arrived)
        self._most = min(2 * self._most, PULL_MESSAGES)
        self._most_bytes = min(2 * self._most_bytes, PULL_BYTES)
        if self._live:
            await self._ask()
        else:
            await self._ask_for_stored()
        return records

    async def close(self) -> None:
        """Forget the consumer; the server would in a minute, should this not reach it."""
        if self._subscription is None or self._client.is_closed:
            return
        subscription, self._subscription = self._subscription, None
        with suppress(NatsError, OSError):
            await subscription.unsubscribe()
            await self._client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    def _request(self) -> dict[str, Any]:
        one = len(self._filters) == 1
        config = {
            "name": self._name,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._after + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": IDLE_S * NANOSECONDS,
        } | ({"filter_subject": self._filters[0]} if one else {"filter_subjects": self._filters})
        return {"stream_name": self._stream, "config": config, "action": "create"}

    async def _on_message(self, message: Msg) -> None:
        self._arrived.append(message)
        self._signal.set()

    async def _ask_for_stored(self) -> None:
        """Ask for what was there when the consumer was made, and first for no message more.

        A server that is asked for more looks through the rest of the log for it: for one old job
        among a million events that is a tenth of a second, which nobody needs who reads to the end.
        """
        while self._stored and self._has_room():
            batch = min(self._stored, self._most)
            self._stored -= batch
            await self._pull(batch)

    async def _ask(self) -> None:
        while self._has_room():
            await self._pull(self._most)

    def _has_room(self) -> bool:
        return self._asked <= self._most * (PULLS_OUT - 1) and not self._trouble

    async def _pull(self, batch: int) -> None:
        self._asked += batch
        request = {
            "batch": batch,
            "max_bytes": self._most_bytes,
            "expires": PULL_EXPIRES_S * NANOSECONDS,
            "idle_heartbeat": HEARTBEAT_S * NANOSECONDS,
        }
        try:
            await self._client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}",
                msgspec.json.encode(request),
                self._inbox,
            )
        except (NatsError, OSError) as error:
            self._trouble = f"the pull request was not sent ({type(error).__name__})"

    def _records(self, arrived: list[Msg]) -> list[T]:
        """Turn messages into records up to the first gap. This is the hot loop of every replay."""
        records: list[T] = []
        number, cut, build = self._number, self._cut, self._build
        for message in arrived:
            reply = message.reply
            if not reply:
                self._note_status(message.headers or {}, number)
                continue
            if not cut:
                cut = self._cut = _position_starts(reply)
            position, its_number, rest = reply[cut:].split(".", 2)
            if int(its_number) != number + 1:
                self._trouble = f"message {its_number} came after {number}"
                break
            number += 1
            records.append(build(int(position), rest, message))
        self._number = number
        self._asked -= len(records)
        return records

    def _note_status(self, headers: dict[str, str], number: int) -> None:
        """Heed a message of the server's own: a heartbeat, or the end of a pull request."""
        status = headers.get("Status", "")
        full = f"{status} {headers.get('Description', '')}"
        if status == HEARTBEAT:
            if int(headers.get("Nats-Last-Consumer", 0)) > number:
                self._trouble = f"messages behind {number} did not arrive"
        elif full in ENDS and (unmet := headers.get("Nats-Pending-Messages")):
            self._asked -= int(unmet)
        else:
            self._trouble = full

    def _check_alive(self) -> None:
        """Without a sign of life for three heartbeats, or after a reconnect, nothing will come."""
        if self._client.is_closed:
            raise ConsumerLost("the connection is closed")
        silent_s = asyncio.get_running_loop().time() - self._heard_s
        if self._client.stats["reconnects"] != self._connection:
            raise ConsumerLost("the connection was lost")
        if silent_s > SILENCE_S:
            raise ConsumerLost(f"the server was silent for {silent_s:.1f} s")


def _position_starts(reply: str) -> int:
    """Return where in the reply subject the position begins; the same for all of one consumer."""
    tokens = reply.split(".")
    short = len(tokens) == SHORT_REPLY_TOKENS
    leading = tokens[: SHORT_POSITION_TOKEN if short else LONG_POSITION_TOKEN]
    return sum(len(token) + 1 for token in leading)
