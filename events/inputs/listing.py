"""Listings: the files of one input in canonical bytes, in the event or in a blob beside the log."""

import hashlib
from collections.abc import Sequence

import msgspec

from events.blobs import Blobs
from events.cid import raw_cid
from events.errors import InvalidInput
from events.items import ListedFile, Listing

INLINE_BYTES_MAX = 8 * 1024

_decode = msgspec.json.Decoder(tuple[ListedFile, ...]).decode


def canonical(files: Sequence[ListedFile]) -> bytes:
    """Return the bytes that a listing's digest is over: a JSON array of [path, size, digest]."""
    return msgspec.json.encode(files)


def make_listing(
    source: str, files: Sequence[ListedFile], *, inline_bytes_max: int = INLINE_BYTES_MAX
) -> tuple[Listing, bytes | None]:
    """Return the listing of a source, and the blob to store when it is too large for an event."""
    data = canonical(files)
    inline = len(data) <= inline_bytes_max
    listing = Listing(
        source=source,
        count=len(files),
        size_bytes=sum(file.size_bytes for file in files),
        digest=hashlib.sha256(data).hexdigest(),
        files=tuple(files) if inline else (),
        blob="" if inline else raw_cid(data),
    )
    return listing, None if inline else data


async def load_files(listing: Listing, blobs: Blobs) -> tuple[ListedFile, ...]:
    """Return a listing's files, from the event or its blob.

    Raises InvalidInput when they are not what the listing's count and digest say, NotFound when
    the blob is gone.
    """
    data = await blobs.get(listing.blob) if listing.blob else canonical(listing.files)
    if hashlib.sha256(data).hexdigest() != listing.digest:
        raise InvalidInput(
            f"the listing of {listing.source} is not the one of its digest",
            hint="submit the job again",
        )
    try:
        files = _decode(data) if listing.blob else listing.files
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"the listing of {listing.source} does not decode: {error}", hint="submit the job again"
        ) from None
    if len(files) != listing.count:
        raise InvalidInput(
            f"the listing of {listing.source} has {len(files):,} files, not {listing.count:,}",
            hint="submit the job again",
        )
    return files
