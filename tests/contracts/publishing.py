"""What the publisher suites publish, and how they open drivers at a place."""

import os
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path

from publishers import open_publisher, reading
from publishers.port import Location, Publisher, SmallResult, Workplace
from publishers.unixfs import result_cid
from tests.contracts.places import Place

KEY = "job/0"
SMALL = SmallResult(b"hello\n", b"", 0)
SMALL_CID = result_cid(b"hello\n", b"", 0).cid
OTHER = SmallResult(b"other\n", b"", 0)
OTHER_CID = result_cid(b"other\n", b"", 0).cid

ODD_NAMES = (
    b".hidden", b"a b", b"100%41", b"q?u#e&r+y", b"back\\slash", b"new\nline", b"\xff\xfe raw",
    b"_manifest.json", b"_dag.car", "ünï 😀".encode(), b"~", b"*", b"-rf", b"C:",
)  # fmt: skip
"""Names that some service or some encoding takes for something else."""

LONG_BYTES = 3_000_000
"""A file of three chunks, the last of them short."""


def write_folder(result: Path) -> None:
    """Make a result with files and folders of all sorts in its outputs."""
    SmallResult(b"out\n", b"err\n", 3).write_to(result)
    outputs = result / "outputs"
    (outputs / "empty").mkdir()
    (outputs / "nothing").touch()
    (outputs / "a b" / "deep" / "deeper").mkdir(parents=True)
    (outputs / "a b" / "deep" / "ünï.bin").write_bytes(os.urandom(LONG_BYTES))
    (outputs / "odd").mkdir()
    for name in ODD_NAMES:
        (outputs / "odd" / os.fsdecode(name)).write_bytes(b"is " + name)


def open_at(
    place: Place, *, credential: Mapping[str, str] | None = None, workplace: Workplace | None = None
) -> Publisher:
    """Open the place's driver, by default as the node whose place it is."""
    return open_publisher(
        place.driver,
        place.target,
        place.credential if credential is None else credential,
        workplace or place.workplace,
    )


def open_elsewhere(place: Place, folder: Path) -> Publisher:
    """Open the place's driver as another node does, with a folder of its own."""
    return open_at(place, workplace=place.workplace._replace(folder=folder))


async def fetched(
    publisher: Publisher,
    location: Location,
    path: str,
    *,
    offset: int = 0,
    size_bytes: int | None = None,
) -> bytes:
    """Read one file of a published result, or a range of it."""
    copy = publisher.copy(location)
    try:
        chunks = reading.fetch(copy, location.cid, path, offset=offset, size_bytes=size_bytes)
        async with aclosing(chunks):
            return b"".join([chunk async for chunk in chunks])
    finally:
        await copy.close()
