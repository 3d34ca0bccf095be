"""The webhooks of a network: registered, changed and removed in the bucket beside the log."""

from typing import Any, NamedTuple

import msgspec

from events.errors import LotaError, NotFound, WrongExpectedPosition, WrongUsage
from events.key_values import KeyValues, Value
from node.webhooks.registration import Ping, Pong, Progress, State, Webhook, read_webhook

WEBHOOKS_MAX = 100
TRIES = 5

_encode = msgspec.json.encode


class Listed(NamedTuple):
    """A webhook and how far it has come; `problem` instead of a webhook that cannot be read."""

    id: str
    webhook: Webhook | None
    progress: Progress
    problem: str = ""


class Registry:
    """What the bucket holds, as webhooks. All methods raise what `KeyValues` does."""

    def __init__(self, values: KeyValues) -> None:
        self._values = values

    async def add(self, webhook: Webhook, position: int) -> None:
        """Register a webhook that begins behind a position.

        Raises WrongUsage when there is one that asks for the same, or there are too many.
        """
        progress = await self._values.get(f"progress.{webhook.id}")
        registered = await self._values.get(f"webhook.{webhook.id}")
        if registered.data is None and len(await self.all()) >= WEBHOOKS_MAX:
            raise WrongUsage(
                f"there are {WEBHOOKS_MAX} webhooks already",
                hint="remove one, or ask for more in one",
            )
        try:
            if registered.data is not None:
                raise WrongExpectedPosition("it is there")
            # The position first: a webhook without one would not know where to begin.
            begin = _encode(Progress(position=position))
            await self._values.put(progress.key, begin, expect=progress.revision)
            await self._values.put(registered.key, _encode(webhook), expect=registered.revision)
        except WrongExpectedPosition:
            raise WrongUsage(
                f"webhook {webhook.id} asks for the same already",
                hint=f"see lota webhook describe {webhook.id}; remove it to begin anew",
            ) from None

    async def all(self) -> list[Listed]:
        """Return all webhooks, those first that were registered first."""
        found = {value.key: value.data for value in await self._values.all()}
        listed = [
            _listed(key.partition(".")[2], data, found.get(f"progress.{key.partition('.')[2]}"))
            for key, data in found.items()
            if key.startswith("webhook.") and data is not None
        ]
        return sorted(listed, key=lambda it: (it.webhook.created_ms if it.webhook else 0, it.id))

    async def find(self, text: str) -> Listed:
        """Return the webhook with this id, or with this start of one.

        Raises NotFound, and WrongUsage when several begin so.
        """
        found = [it for it in await self.all() if it.id.startswith(text)]
        exact = [it for it in found if it.id == text]
        if not (exact or found) or not text:
            raise NotFound(
                f"there is no webhook {text}", hint="lota webhook ls shows what there is"
            )
        if not exact and len(found) > 1:
            ids = ", ".join(it.id for it in found)
            raise WrongUsage(f"{text} is the start of {ids}", hint="give more of the id")
        return (exact or found)[0]

    async def remove(self, id: str) -> None:
        """Forget a webhook; a delivery that is under way may still arrive."""
        for kind in ("webhook", "progress", "ping", "pong"):
            value = await self._values.get(f"{kind}.{id}")
            if value.data is not None:
                await self._values.delete(value.key)

    async def switch(self, id: str, state: State, *, reason: str = "") -> None:
        """Pause a webhook, let it go on, or disable it. Raises NotFound when it is gone."""
        for _ in range(TRIES):
            value = await self._values.get(f"webhook.{id}")
            if value.data is None:
                break
            now = read_webhook(id, value.data)
            then = msgspec.structs.replace(now, state=state, reason=reason)
            try:
                await self._values.put(value.key, _encode(then), expect=value.revision)
            except WrongExpectedPosition:
                continue
            return
        raise NotFound(f"there is no webhook {id} any more", hint="lota webhook ls")

    async def move(self, id: str, position: int | None) -> None:
        """Begin anew behind a position, or where it stands; the failures so far are forgotten.

        Whoever delivers notices, and does not overwrite it.
        """
        for _ in range(TRIES):
            value = await self._values.get(f"progress.{id}")
            progress = read_progress(value)
            changes: dict[str, Any] = {"failing_since_ms": None, "problem": ""}
            if position is not None:
                changes |= {"position": position, "late": {}, "last_failure": None}
            then = msgspec.structs.replace(progress, **changes)
            try:
                await self._values.put(value.key, _encode(then), expect=value.revision)
            except WrongExpectedPosition:
                continue
            return
        raise LotaError(f"webhook {id} keeps changing", hint="try again")

    async def progress(self, id: str) -> tuple[Progress, int]:
        """Return how far a webhook has come, and the revision that says so."""
        value = await self._values.get(f"progress.{id}")
        return read_progress(value), value.revision

    async def save(self, id: str, progress: Progress, revision: int) -> int:
        """Write how far it has come, if nobody else has since `revision`; return the new one.

        Raises WrongExpectedPosition if somebody has: read it again.
        """
        return await self._values.put(f"progress.{id}", _encode(progress), expect=revision)

    async def ping(self, id: str, ping: Ping) -> None:
        """Wish for a test."""
        await self._replace(f"ping.{id}", _encode(ping))

    async def pong(self, id: str, pong: Pong) -> None:
        """Say what came of a test."""
        await self._replace(f"pong.{id}", _encode(pong))

    async def _replace(self, key: str, data: bytes) -> None:
        value = await self._values.get(key)
        await self._values.put(key, data, expect=value.revision)


def read_progress(value: Value) -> Progress:
    """Decode how far a webhook has come. Raises LotaError: a guess would leave events out."""
    try:
        return msgspec.json.decode(value.data or b"", type=Progress)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LotaError(
            f"{value.key} cannot be read: {error}", hint="remove the webhook, and add it again"
        ) from None


def _listed(id: str, data: bytes, progress: bytes | None) -> Listed:
    nothing = Progress(position=0)
    try:
        stands = read_progress(Value(f"progress.{id}", progress, 0))
    except LotaError as error:
        stands = msgspec.structs.replace(nothing, problem=error.what)
    try:
        return Listed(id, read_webhook(id, data), stands)
    except LotaError as error:
        return Listed(id, None, stands, error.what)
