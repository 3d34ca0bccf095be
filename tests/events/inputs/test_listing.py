"""Listings in events and in blobs."""

import hashlib
import json

import msgspec
import pytest

from events.blobs import Blobs
from events.errors import InvalidInput, NotFound
from events.inputs.listing import INLINE_BYTES_MAX, load_files, make_listing
from events.items import ListedFile, Listing
from events.memory import MemoryBlobs

FEW = (ListedFile("a/é", 3, "00" * 32), ListedFile("b", 4, "11" * 32))
MANY = tuple(ListedFile(f"{index:06}", 1, "22" * 32) for index in range(1000))


class Lying:
    """Blobs that return other bytes than they were asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    async def put(self, data: bytes) -> str:
        return ""

    async def get(self, key: str) -> bytes:
        return self._data


def test_few_files() -> None:
    """A short listing stands in the event, and its digest is over canonical JSON."""
    listing, blob = make_listing("file:///x", FEW)
    text = json.dumps(
        [["a/é", 3, "00" * 32], ["b", 4, "11" * 32]], separators=(",", ":"), ensure_ascii=False
    )

    assert blob is None
    assert listing == Listing(
        source="file:///x",
        count=2,
        size_bytes=7,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        files=FEW,
    )


def test_many_files() -> None:
    """A long listing is a blob, named in the event by its content."""
    listing, blob = make_listing("file:///x", MANY)

    assert blob is not None
    assert len(blob) > INLINE_BYTES_MAX
    assert (listing.files, listing.count, listing.size_bytes) == ((), 1000, 1000)
    assert listing.digest == hashlib.sha256(blob).hexdigest()


def test_limit() -> None:
    """A listing of exactly the limit stands in the event."""
    size = len(msgspec.json.encode(FEW))

    assert make_listing("file:///x", FEW, inline_bytes_max=size)[1] is None
    assert make_listing("file:///x", FEW, inline_bytes_max=size - 1)[1] is not None


@pytest.mark.parametrize("files", [(), FEW, MANY])
async def test_both_ways(files: tuple[ListedFile, ...]) -> None:
    """What was listed is loaded again, from wherever it stands."""
    blobs = MemoryBlobs()
    listing, blob = make_listing("file:///x", files)
    if blob is not None:
        assert await blobs.put(blob) == listing.blob

    assert await load_files(listing, blobs) == files


async def test_missing_blob() -> None:
    """A listing whose blob is gone says so."""
    with pytest.raises(NotFound):
        await load_files(make_listing("file:///x", MANY)[0], MemoryBlobs())


@pytest.mark.parametrize(
    ("listing", "blobs"),
    [
        (msgspec.structs.replace(make_listing("s", FEW)[0], digest="00"), MemoryBlobs()),
        (msgspec.structs.replace(make_listing("s", FEW)[0], files=FEW[:1]), MemoryBlobs()),
        (msgspec.structs.replace(make_listing("s", FEW)[0], count=3), MemoryBlobs()),
        (make_listing("s", MANY)[0], Lying(b"[]")),
        (Listing("s", 0, 0, hashlib.sha256(b"{").hexdigest(), blob="b"), Lying(b"{")),
    ],
)
async def test_damaged(listing: Listing, blobs: Blobs) -> None:
    """A listing is used only if digest, count and form are those of the event."""
    with pytest.raises(InvalidInput, match="the listing of s"):
        await load_files(listing, blobs)
