"""Writing an export: messages as they come, then the blobs that are named, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import IO

import msgspec

from events.archive.compose import Composer
from events.archive.lines import BaseRef, Header, Stored
from events.archive.named_blobs import named_blobs
from events.blobs import Blobs
from events.errors import NotFound

Progress = Callable[[int], None]
"""Called with how many more messages are done."""


class Exported(msgspec.Struct, frozen=True):
    """What an export came to; `missing` are blobs that events name and nobody has."""

    events: int
    blobs: int
    missing: tuple[str, ...]


async def write_export(
    file: IO[bytes],
    header: Header,
    messages: AsyncIterator[list[Stored]],
    blobs: Blobs,
    *,
    progress: Progress | None = None,
) -> Exported:
    """Write a whole export to `file`; the messages come in the order of the log.

    One batch of messages and one blob are in memory at a time, and the names of the blobs. Raises
    what reading them does; then what stands in `file` is truncated, and readers say so.
    """
    composer = Composer()
    named: dict[str, None] = {}
    if isinstance(header.base, BaseRef):
        named[header.base.blob] = None

    def write(batch: list[Stored]) -> None:
        file.writelines([composer.message(stored) for stored in batch])
        for stored in batch:
            named.update(dict.fromkeys(named_blobs(stored.body)))

    await asyncio.to_thread(file.write, composer.begin(header))
    async for batch in messages:
        await asyncio.to_thread(write, batch)
        if progress is not None:
            progress(len(batch))
    missing = []
    for cid in named:
        try:
            data = await blobs.get(cid)
        except NotFound:
            missing.append(cid)
        else:
            lines = await asyncio.to_thread(composer.blob, cid, data)
            await asyncio.to_thread(file.writelines, lines)
    await asyncio.to_thread(file.write, composer.end())
    return Exported(composer.events, composer.blobs, tuple(missing))
