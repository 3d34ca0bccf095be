"""The stream that is the log: created by whoever attaches first, checked by everybody else."""

import asyncio
from typing import Any

import msgspec
from nats.aio.client import Client

from events.archive.lines import Header
from events.errors import StreamMismatch
from events.jetstream.api import STREAM_NAME_IN_USE, STREAM_NOT_FOUND, Refused, call
from events.jetstream.twin import twin_of
from events.log import EVERYTHING

STREAM = "LOTA"
LIVE = "lota.live.>"

FIXED: dict[str, Any] = {
    "subjects": [EVERYTHING],
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "max_msgs": -1,
    "max_bytes": -1,
    "max_age": 0,
    "max_msgs_per_subject": -1,
    "max_consumers": 10_000,
    "deny_delete": True,
    "deny_purge": True,
    "allow_direct": True,
    "duplicate_window": 120 * 1_000_000_000,
}
"""What makes the stream a log: nothing is ever removed, but by `events.jetstream.retention`.
`discard: new` because a limit that someone sets later must refuse appends, not delete history. -1
consumers would mean the server's default, so the number is spelt out."""

ABSENT = ("allow_rollup_hdrs", "allow_msg_ttl", "allow_msg_schedules", "sealed", "no_ack", "mirror")
"""Settings that could remove or hide messages; the server leaves them out when they are off. A twin
is sealed: nothing is to be stored there."""


ARCHIVING = "lota.archiving"
"""The key of the metadata of a stream that is parked while its beginning is dropped: since when."""

PARKED_TRIES = 15
PARKED_S = 0.2
"""A stream is parked for some milliseconds, and longer only if whoever parked it died."""


class _Info(msgspec.Struct):
    config: dict[str, Any]


async def ensure_stream(client: Client, *, replicas: int, republish: bool) -> Header | None:
    """Create the stream, or check the one that is there; say of what it is the twin, if it is one.

    More replicas than asked for are welcome and so is a republish that was not asked for. Raises
    `StreamMismatch` with the fields that differ or when an import into it or an archive of its
    beginning has not ended, `LogUnavailable` when the server does not answer.
    """
    wanted = {**FIXED, "num_replicas": replicas}
    if republish:
        wanted["republish"] = {"src": EVERYTHING, "dest": LIVE}
    found = await _find_in_use(client) or await _create(client, wanted)
    twin = twin_of(found.config.get("metadata") or {})
    config = found.config if twin is None else found.config | {"sealed": False}
    if differences := _differences(wanted, config):
        raise StreamMismatch(
            f"stream {STREAM} is configured otherwise: {'; '.join(differences)}",
            hint="change it with the nats tool, or use another server or account",
        )
    return twin


async def _find_in_use(client: Client) -> _Info | None:
    """Return the stream that is there; one that is parked is waited for."""
    for _ in range(PARKED_TRIES):
        try:
            found = await call(client, f"STREAM.INFO.{STREAM}", {}, _Info)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise
            return None
        if ARCHIVING not in (found.config.get("metadata") or {}):
            return found
        await asyncio.sleep(PARKED_S)
    raise StreamMismatch(
        "an archive of the beginning of this log is under way or was broken off",
        hint="nothing is lost, and nothing can be appended: try again in a minute, and if it stays "
        "so run lota log archive again",
    )


async def _create(client: Client, wanted: dict[str, Any]) -> _Info:
    try:
        return await call(client, f"STREAM.CREATE.{STREAM}", {"name": STREAM, **wanted}, _Info)
    except Refused as refusal:
        if refusal.error.err_code != STREAM_NAME_IN_USE:
            raise
        return await call(client, f"STREAM.INFO.{STREAM}", {}, _Info)


def _differences(wanted: dict[str, Any], found: dict[str, Any]) -> list[str]:
    differing = [
        f"{name} is {found.get(name)!r}, expected {value!r}"
        for name, value in wanted.items()
        if name != "num_replicas" and found.get(name, _unset(value)) != value
    ]
    if found.get("num_replicas", 1) < wanted["num_replicas"]:
        differing.append(
            f"num_replicas is {found.get('num_replicas')}, expected {wanted['num_replicas']}"
        )
    differing += [f"{name} is {found[name]!r}, expected none" for name in ABSENT if found.get(name)]
    return differing


def _unset(value: Any) -> Any:
    """What a field that the server left out stands for."""
    return type(value)()
