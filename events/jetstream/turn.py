"""One archive at a time: who changes the log's stream has the turn, by compare-and-set.

The server has no condition for an update of a stream. Two that park the same log take it into use
again under each other's feet, and what is appended in between is counted by neither. So whoever
wants to takes the turn first, in a bucket of its own, and must still have it when it lets go.
"""

import msgspec
from nats.aio.client import Client

from events.errors import AppendTimeout, LogUnavailable, LotaError, WrongExpectedPosition
from events.ids import new_id
from events.jetstream.key_values import JetStreamKeyValues

BUCKET = "LOTA_ARCHIVING"
KEY = "turn"


class _Held(msgspec.Struct):
    """Whose turn it is, and since when; nobody's, if that is 0."""

    owner: str
    since_ms: int


class Turn:
    """The right to change the log's stream; a turn that began `abandoned_ms` ago is nobody's."""

    def __init__(self, client: Client, abandoned_ms: int) -> None:
        self._values = JetStreamKeyValues(client, BUCKET)
        self._abandoned_ms = abandoned_ms
        self._owner = new_id()
        self._since_ms = 0
        self._revision = 0

    async def take(self, now_ms: int) -> None:
        """Take the turn, by the server's time. Raises LogUnavailable while another has it."""
        await self._values.ensure()
        found = await self._values.get(KEY)
        if found.data is not None:
            held = msgspec.json.decode(found.data, type=_Held)
            if held.owner != self._owner and now_ms - held.since_ms < self._abandoned_ms:
                raise under_way(self._abandoned_ms)
        self._revision = found.revision
        await self._put(now_ms)

    async def confirm(self) -> None:
        """See that it has not become another's, who waited for long enough: LogUnavailable then."""
        await self._put(self._since_ms)

    async def release(self) -> None:
        """Let the next have it at once; should that fail, it will in a while."""
        try:
            await self._put(0)
        except LotaError:
            return

    async def _put(self, since_ms: int) -> None:
        body = msgspec.json.encode(_Held(self._owner, since_ms))
        try:
            self._revision = await self._values.put(KEY, body, expect=self._revision)
        except WrongExpectedPosition:
            raise under_way(self._abandoned_ms) from None
        except AppendTimeout as error:
            raise LogUnavailable(error.what, hint="try again in a while") from error
        self._since_ms = since_ms


def under_way(abandoned_ms: int) -> LogUnavailable:
    """The error for a log that another changes, or has begun to change just now."""
    return LogUnavailable(
        "another archive of this log is under way, or was broken off just now",
        hint=f"wait for it; after {abandoned_ms // 1000} s it can be taken over",
    )
