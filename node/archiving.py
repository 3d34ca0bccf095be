"""The beginning of the log as an archive file: written, read back and checked, and then let go.

Every step may be the last, and the whole may be begun again with the same file: what is there is
checked and used. The server drops nothing that was not read back from the file as the log has it.
"""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple, cast

import msgspec
from nats.aio.client import Client

from events.archive.exporting import Exported, write_export
from events.archive.file_log import FileLog
from events.archive.files import in_thread, writing
from events.archive.lines import BaseRef, Header, Selection
from events.blobs import Blobs
from events.cid import raw_cid
from events.clock import now_ms
from events.errors import InvalidInput, LogError
from events.jetstream import History
from events.log import EVERYTHING, Readable, Record
from events.times import rfc3339
from projections.base import begin, encode_base
from projections.network import Network
from projections.travel import Travel

STREAM = "LOTA"

Progress = Callable[[int], None]

_BLOB = re.compile(rb"bafkrei[a-z2-7]{52}")
"""The CID of a blob, as text."""


class Checked(NamedTuple):
    """An archive that was read whole: its first line, and the base of what follows on it.

    `split` are jobs of which the last events stay in the log.
    """

    header: Header
    base: bytes
    events: int
    blobs: tuple[str, ...]
    sha256: str
    split: int

    @property
    def reference(self) -> BaseRef:
        """Where the base will be found."""
        return BaseRef(self.header.last, raw_cid(self.base))


async def write_archive(
    client: Client, blobs: Blobs, path: Path, *, first: int, last: int, progress: Progress
) -> Exported:
    """Write the log from its beginning at `first` to `last` to a file, durably or not at all.

    Raises InvalidInput when it cannot be written.
    """
    history = History(client)
    header = Header(stream=STREAM, created=rfc3339(now_ms()), first=first, last=last)
    base = await history.base()
    if base is not None:
        header = msgspec.structs.replace(header, base=base)
    try:
        async with in_thread(writing(path, new=True)) as file:
            messages = history.read(EVERYTHING, first=first, last=last)
            return await write_export(file, header, messages, blobs, progress=progress)
    finally:
        await history.close()


async def check_archive(path: Path, *, progress: Progress) -> Checked:
    """Read an archive whole, every line and blob of it, and fold it to its end.

    Raises ExportError for one that is damaged, and InvalidInput for an export of another kind.
    """
    source = await FileLog.open(path)
    try:
        header, contents = source.header, source.contents
        whole = contents.events == header.last - header.first + 1
        if header.filter != Selection() or not whole or not contents.events:
            raise InvalidInput(
                f"{path} is an export of a part of a log, and no archive of its beginning",
                hint="choose another file name",
            )
        travel = Travel(begin(await source.base()))
        async for records in source.read():
            await asyncio.to_thread(_fold, travel, records)
            progress(len(records))
    finally:
        await source.close()
    network = travel.network
    refuse_newer(network)
    return Checked(
        header=header,
        base=await asyncio.to_thread(encode_base, network),
        events=contents.events,
        blobs=tuple(source.blobs.keys()),
        sha256=contents.sha256,
        split=len(network.jobs),
    )


def refuse_newer(network: Network) -> None:
    """Raise LogError when the fold has skipped what only a newer version of Lota knows.

    A base that was made without it would be wrong for good.
    """
    if network.newer:
        raise LogError(
            f"there are events that only a newer version of Lota knows: {', '.join(network.newer)}",
            hint="archive with the newest version that writes to this log",
        )


async def compare(client: Client, blobs: Blobs, archive: Checked, *, progress: Progress) -> None:
    """See that a file that was there already says what the log says, to the byte.

    Raises LogError when it does not.
    """
    history = History(client)
    header = archive.header
    nowhere = _Nowhere()
    try:
        messages = history.read(EVERYTHING, first=header.first, last=header.last)
        sink = cast("IO[bytes]", nowhere)
        await write_export(sink, header, messages, blobs, progress=progress)
    finally:
        await history.close()
    if archive.sha256.encode() not in nowhere.last:
        raise LogError(
            "the file is there already, and what it holds is not the beginning of this log",
            hint="choose another file name",
        )


async def still_named(log: Readable, blobs: set[str], *, progress: Progress) -> set[str]:
    """Return those of the blobs that stand in an event of the log, or in its base.

    In whatever field, and also in what only a newer version of Lota can read.
    """
    base = await log.base()
    found = {blob for blob in blobs if base is not None and blob.encode() in base.state}
    async for records in log.read(after=base.position if base is not None else 0):
        for record in records:
            found.update(blobs.intersection(map(bytes.decode, _BLOB.findall(record.body))))
        progress(len(records))
    return found


class _Nowhere:
    """Takes an export and keeps its last line, which has the digest."""

    def __init__(self) -> None:
        self.last = b""

    def write(self, line: bytes) -> None:
        self.last = line

    def writelines(self, lines: list[bytes]) -> None:
        """Nothing of what stands before the end is kept."""


def _fold(travel: Travel, records: list[Record]) -> None:
    for record in records:
        travel.fold(record)
