"""Removing blobs that are in an archive and that nothing in the log names any more.

Whoever wants to name a blob puts it first, and finds that it is there already. So that it is there
also when the event that names it is: to put a blob touches it, what was touched within the last
`GRACE_MS` stays, and what is removed must be as it was before the log was looked through for names.
A writer who names a blob later than that after putting it, and only such a one, could name what is
gone; the archive has it.
"""

from base64 import b64decode
from collections.abc import Awaitable, Callable, Iterable

import msgspec
from nats.aio.client import Client

from events.jetstream.api import call, last_message
from events.jetstream.object_format import (
    ObjectInfo,
    description_subject,
    read_description,
    stream_of,
)
from events.jetstream.object_store import BUCKET
from events.jetstream.objects import ObjectBucket
from events.times import parse_ms

GRACE_MS = 24 * 60 * 60 * 1000


class _Info(msgspec.Struct):
    ts: str = ""


async def remove_blobs(
    client: Client,
    keys: Iterable[str],
    *,
    named: Callable[[set[str]], Awaitable[set[str]]],
    grace_ms: int = GRACE_MS,
) -> int:
    """Remove those of the blobs that nobody has put for a while and nothing names; say how many.

    `named` is asked once, when all is known of the blobs, which of some the log still names. Safe
    to repeat. Raises LogUnavailable, and LogError for what the server refuses.
    """
    stream = stream_of(BUCKET)
    now_ms = parse_ms((await call(client, f"STREAM.INFO.{stream}", {}, _Info)).ts)
    old: dict[str, ObjectInfo] = {}
    for key in keys:
        stored = await last_message(client, stream, description_subject(BUCKET, key))
        if stored is None or parse_ms(stored.time) + grace_ms > now_ms:
            continue
        found = read_description(b64decode(stored.data), stored.seq)
        if not found.deleted:
            old[key] = found
    kept = await named(set(old)) if old else set()
    bucket = ObjectBucket(client, BUCKET)
    removed = 0
    try:
        for key, found in old.items():
            if key not in kept:
                await bucket.delete(key, found)
                removed += 1
    finally:
        await bucket.close()
    return removed
