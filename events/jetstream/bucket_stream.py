"""The stream under a bucket: made as all NATS clients make it, or taken as it is."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from nats.aio.client import Client

from events.errors import LogUnavailable
from events.jetstream.api import (
    NO_PEERS,
    STREAM_NAME_IN_USE,
    STREAM_NOT_FOUND,
    Refused,
    call,
)
from events.jetstream.object_format import stream_of, subjects_of, tries_filter
from events.jetstream.stream import STREAM as LOG_STREAM


class BucketConfig(msgspec.Struct):
    """What of a bucket's configuration decides how it is written."""

    max_msg_size: int = -1
    max_age: int = 0
    num_replicas: int = 1
    allow_rollup_hdrs: bool = False
    sealed: bool = False


class _State(msgspec.Struct):
    subjects: dict[str, int] = {}


class _Info(msgspec.Struct):
    config: BucketConfig
    state: _State


class _Purged(msgspec.Struct):
    success: bool


async def find_or_create(client: Client, bucket: str, replicas: int | None) -> BucketConfig:
    """Return how a bucket is configured; one that is new gets `replicas`, or those of the log.

    Raises what `events.jetstream.api.call` does.
    """

    async def wanted() -> dict[str, Any]:
        return _wanted(bucket, replicas or await replicas_of_log(client))

    return await ensure_bucket(client, stream_of(bucket), wanted)


async def ensure_bucket(
    client: Client, stream: str, wanted: Callable[[], Awaitable[dict[str, Any]]]
) -> BucketConfig:
    """Return how the stream under a bucket is configured; where there is none, make it as `wanted`.

    Raises what `events.jetstream.api.call` does.
    """
    try:
        return (await call(client, f"STREAM.INFO.{stream}", {}, _Info)).config
    except Refused as refusal:
        if refusal.error.err_code != STREAM_NOT_FOUND:
            raise
    try:
        made = await call(client, f"STREAM.CREATE.{stream}", await wanted(), _Info)
    except Refused as refusal:
        if refusal.error.err_code == NO_PEERS:
            raise LogUnavailable(
                f"too few servers are up to make the bucket {stream}", hint="start the others"
            ) from refusal
        if refusal.error.err_code != STREAM_NAME_IN_USE:
            raise
        made = await call(client, f"STREAM.INFO.{stream}", {}, _Info)
    return made.config


async def tries_to_write(client: Client, bucket: str, name: str) -> list[str]:
    """Return the subjects below which chunks of `name` lie, its own and those of other tries."""
    request = {"subjects_filter": tries_filter(bucket, name)}
    found = await call(client, f"STREAM.INFO.{stream_of(bucket)}", request, _Info)
    return list(found.state.subjects)


async def purge(client: Client, bucket: str, subject: str) -> None:
    """Remove all messages of one subject."""
    await call(client, f"STREAM.PURGE.{stream_of(bucket)}", {"filter": subject}, _Purged)


async def purge_unheard(client: Client, bucket: str, subject: str) -> None:
    """Ask for the same without waiting for it; raises what `Client.publish` does."""
    request = msgspec.json.encode({"filter": subject})
    await client.publish(f"$JS.API.STREAM.PURGE.{stream_of(bucket)}", request)


def _wanted(bucket: str, replicas: int) -> dict[str, Any]:
    return {
        "name": stream_of(bucket),
        "subjects": subjects_of(bucket),
        "storage": "file",
        "retention": "limits",
        "discard": "new",  # a full bucket refuses; it does not forget
        "max_age": 0,
        "max_bytes": -1,
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "num_replicas": replicas,
    }


async def replicas_of_log(client: Client) -> int:
    """Return how many replicas the log has; 1 while there is none."""
    try:
        found = await call(client, f"STREAM.INFO.{LOG_STREAM}", {}, _Info)
    except Refused:
        return 1
    return found.config.num_replicas
