"""How an object store bucket lies in its stream, as every NATS client writes and reads it.

Source of the contract: ADR-20 of the NATS project. A bucket `b` is the stream `OBJ_b`. The bytes of
an object are messages of one subject, `$O.b.C.<nuid>`, in order; then one message of
`$O.b.M.<name in base64url>` describes it, which is what makes it be there.

Two things are ours, and others need not know them. Each chunk carries the offset of its first byte
in a header, so that a range is found without reading what lies before it. And a nuid is
`<digest of the name>.<random>`, two tokens, so that all tries to write one name are found by one
filter: what a crashed writer left can be told, and removed by whoever completes the object.
"""

import re
from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from hashlib import sha256
from secrets import token_hex
from typing import NamedTuple

import msgspec

OFFSET = "Lota-Offset"
ROLLUP = {"Nats-Rollup": "sub"}
OTHERS_CHUNK_BYTES = 128 * 1024
"""What other clients write by default; the description does not always say it."""

NAME_MAX_BYTES = 2560
"""In base64 within the 4,096 bytes of a protocol line, with room for inboxes and lengths."""

_NUID = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


def stream_of(bucket: str) -> str:
    """Return the name of a bucket's stream."""
    return f"OBJ_{bucket}"


def subjects_of(bucket: str) -> list[str]:
    """Return what a bucket's stream takes: chunks, and descriptions."""
    return [f"$O.{bucket}.C.>", f"$O.{bucket}.M.>"]


def chunk_subject(bucket: str, nuid: str) -> str:
    """Return the subject of all chunks of one try to write an object."""
    return f"$O.{bucket}.C.{nuid}"


def description_subject(bucket: str, name: str) -> str:
    """Return the subject whose last message says what the object is."""
    return f"$O.{bucket}.M.{urlsafe_b64encode(name.encode()).decode()}"


def tries_filter(bucket: str, name: str) -> str:
    """Return the filter of the chunks of all our tries to write `name`."""
    return chunk_subject(bucket, f"{_name_token(name)}.*")


def new_nuid(name: str) -> str:
    """Return a nuid for one more try."""
    return f"{_name_token(name)}.{token_hex(10)}"


def digest_text(digest: bytes) -> str:
    """Spell a SHA-256 digest as descriptions do."""
    return f"SHA-256={urlsafe_b64encode(digest).decode()}"


def _name_token(name: str) -> str:
    return sha256(name.encode()).hexdigest()[:32]


class _Options(msgspec.Struct, omit_defaults=True):
    max_chunk_size: int = 0


class Description(msgspec.Struct):
    """An object as its description says; a `deleted` one leaves its description behind."""

    name: str
    bucket: str = ""
    nuid: str = ""
    size: int = 0
    mtime: str = ""
    chunks: int = 0
    digest: str | None = ""
    deleted: bool | None = False
    options: _Options | None = None


class ObjectInfo(NamedTuple):
    """An object that is or was there; `position` is that of its description in the stream."""

    name: str
    nuid: str
    size_bytes: int
    digest: str
    chunk_bytes: int
    position: int
    deleted: bool


def read_description(body: bytes, position: int) -> ObjectInfo:
    """Decode a description; raises `msgspec.DecodeError` for what is none."""
    found = msgspec.json.decode(body, type=Description)
    chunk_bytes = max(0, found.options.max_chunk_size) if found.options else 0
    # What is purged is named by it, so a wildcard in its place would be a disaster.
    nuid = found.nuid if _NUID.fullmatch(found.nuid) else "unreadable"
    return ObjectInfo(
        found.name,
        nuid,
        found.size,
        found.digest or "",
        chunk_bytes or OTHERS_CHUNK_BYTES,
        position,
        bool(found.deleted),
    )


def write_description(
    bucket: str,
    name: str,
    *,
    nuid: str,
    size_bytes: int,
    chunks: int,
    chunk_bytes: int,
    digest: str,
) -> bytes:
    """Encode the description of an object whose chunks are stored."""
    return msgspec.json.encode(
        Description(
            name=name,
            bucket=bucket,
            nuid=nuid,
            size=size_bytes,
            mtime=datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            chunks=chunks,
            digest=digest,
            options=_Options(chunk_bytes),
        )
    )


def write_deletion(bucket: str, info: ObjectInfo) -> bytes:
    """Encode what takes the place of the description of an object that is deleted."""
    return msgspec.json.encode(
        Description(name=info.name, bucket=bucket, nuid=info.nuid, deleted=True)
    )
