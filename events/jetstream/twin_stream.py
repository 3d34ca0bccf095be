"""The life of a twin's stream: made for an import, sealed when all is there, removed if not.

A twin is sealed: the server itself refuses to store anything there. Whatever was there before, an
empty log that nobody reads, is put back when the import fails. An import that died leaves a stream
that says so and that nobody can attach to; the next import removes it, once nothing has been
written there for a while.
"""

from typing import Any

import msgspec
from nats.aio.client import Client

from events.archive.lines import Header
from events.errors import LogNotEmpty
from events.jetstream.api import STREAM_NOT_FOUND, Refused, call
from events.jetstream.stream import FIXED, STREAM
from events.jetstream.twin import IMPORTING, TWIN
from events.times import parse_ms

ABANDONED_MS = 60_000
"""An import that stores nothing for so long is not under way any more."""

REPEATS_WINDOW_MS = 100
"""How long the server looks for repeated ids while the log is copied: the shortest it takes. It
would drop what the first log, with its longer time, stored twice."""

IMPORT = "lota.import"
KEPT = ("num_replicas", "republish", "placement", "max_consumers")


class _State(msgspec.Struct):
    messages: int
    first_seq: int
    last_ts: str
    consumer_count: int


class _Info(msgspec.Struct):
    config: dict[str, Any]
    state: _State
    created: str
    ts: str = ""


class _Done(msgspec.Struct):
    success: bool = True


class TwinStream:
    """The stream `LOTA` of one import."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._created = False
        self._before: dict[str, Any] | None = None
        self._config: dict[str, Any] = {}

    async def begin(self, *, first: int, fast: bool) -> None:
        """Make the stream, whose first message will have the position `first`.

        Raises LogNotEmpty when the log there has events or readers, or another import is at it.
        """
        found = await self._find()
        if found is not None:
            self._refuse(found)
            await self._remove()
            if _metadata(found).get(TWIN) != IMPORTING:
                self._before = found.config
        kept = {key: found.config[key] for key in KEPT if found and found.config.get(key)}
        self._config = {
            "name": STREAM,
            **FIXED,
            **kept,
            "duplicate_window": REPEATS_WINDOW_MS * 1_000_000,
            # Two streams of one configuration would be taken for one by the server.
            "metadata": {TWIN: IMPORTING, IMPORT: self._client.new_inbox()},
            **({"first_seq": first} if first > 1 else {}),
        }
        batched = {"allow_batched": True} if fast else {}
        await call(self._client, f"STREAM.CREATE.{STREAM}", self._config | batched, _Info)
        self._created = True

    async def complete(self, header: Header) -> None:
        """Seal the stream and say of what it is the twin."""
        described = msgspec.json.encode(msgspec.structs.replace(header, created="")).decode()
        config = self._config | {
            "sealed": True,
            "duplicate_window": FIXED["duplicate_window"],
            "metadata": {TWIN: described},
        }
        await call(self._client, f"STREAM.UPDATE.{STREAM}", config, _Info)

    async def abandon(self) -> None:
        """Leave the server as it was before `begin`; safe to repeat."""
        if self._created:  # else what is there is not ours
            await self._remove()
        if self._before is not None:
            await call(self._client, f"STREAM.CREATE.{STREAM}", self._before, _Info)

    async def _find(self) -> _Info | None:
        try:
            return await call(self._client, f"STREAM.INFO.{STREAM}", {}, _Info)
        except Refused as refusal:
            if refusal.error.err_code == STREAM_NOT_FOUND:
                return None
            raise

    async def _remove(self) -> None:
        try:
            await call(self._client, f"STREAM.DELETE.{STREAM}", {}, _Done)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise

    def _refuse(self, found: _Info) -> None:
        """Raise LogNotEmpty for a stream that somebody uses."""
        if _metadata(found).get(TWIN) == IMPORTING:
            active_ms = max(parse_ms(found.state.last_ts), parse_ms(found.created))
            idle_ms = parse_ms(found.ts) - active_ms
            if idle_ms < ABANDONED_MS:
                raise LogNotEmpty(
                    "another import into this log is under way, or was broken off just now",
                    hint=f"wait for it; one that died is made anew after {ABANDONED_MS // 1000} s",
                )
            return
        if found.state.messages or found.state.first_seq > 1 or TWIN in _metadata(found):
            raise LogNotEmpty(
                f"the log there has {found.state.messages:,} events already",
                hint="import into a server, or an account, that has no log yet",
            )
        if found.state.consumer_count:
            raise LogNotEmpty(
                "the log there is empty, but somebody reads it and would act on what is imported",
                hint="stop the nodes of that server first",
            )


def _metadata(found: _Info) -> dict[str, str]:
    """Return a stream's metadata; servers have keys of their own in it."""
    metadata: dict[str, str] = found.config.get("metadata") or {}
    return metadata
