"""The base of a log whose beginning was archived: a blob, named in the metadata of the stream.

The key `lota.base` says how far it goes and which blob it is. It is set by the very update that
lets the server drop the first messages, so there is never one without the other. A twin has the
base that the header of its export names.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from nats.aio.client import Client

from events.archive.lines import BaseRef
from events.blobs import verified
from events.errors import NotFound, StreamMismatch
from events.jetstream.api import call
from events.jetstream.object_store import BUCKET
from events.jetstream.objects import ObjectBucket
from events.jetstream.stream import STREAM
from events.jetstream.twin import twin_of
from events.log import Base

BASE = "lota.base"


class _Info(msgspec.Struct):
    config: dict[str, Any]


def encode_base_ref(reference: BaseRef) -> str:
    """Return what stands under `lota.base`."""
    return msgspec.json.encode(reference).decode()


def base_of(metadata: Mapping[str, str]) -> BaseRef | None:
    """Return where the base of a stream is, None for a log that begins with its first message.

    Raises StreamMismatch when the metadata say it in words of a newer version.
    """
    twin = twin_of(metadata)
    if twin is not None:
        return twin.base if isinstance(twin.base, BaseRef) else None
    text = metadata.get(BASE)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=BaseRef)
    except msgspec.DecodeError as error:
        raise StreamMismatch(
            f"the stream says in {BASE} what this version does not understand ({error})",
            hint="use the version of lota that archived its beginning, or a newer one",
        ) from None


async def read_base(client: Client) -> Base | None:
    """Return the base of the log as it is now. Raises NotFound and ContentError when it is lost."""
    tried: BaseRef | None = None
    bucket = ObjectBucket(client, BUCKET)
    try:
        while True:
            found = await call(client, f"STREAM.INFO.{STREAM}", {}, _Info)
            reference = base_of(found.config.get("metadata") or {})
            if reference is None:
                return None
            if reference == tried:
                raise NotFound(
                    f"the base of the log is lost (blob {reference.blob})",
                    hint="lota log archive FILE --drop makes it again, with the archive file that "
                    f"ends at position {reference.position}",
                )
            tried = reference
            with suppress(NotFound):  # another may have taken its place just now
                parts = [piece async for piece in bucket.read(reference.blob)]
                return Base(reference.position, verified(reference.blob, b"".join(parts)))
    finally:
        await bucket.close()
