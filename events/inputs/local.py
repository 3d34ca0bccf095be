"""Local files and folders as inputs, listed: `file:///path`."""

import asyncio
import os
import re
from collections.abc import Iterator
from functools import partial

from events.inputs.file_uri import to_path, to_uri
from events.inputs.interruptible import in_thread
from events.inputs.port import Found, Progress
from events.inputs.reading import find_files, hash_files
from events.items import ListedFile

BATCH_FILES = 64
READERS = min(4, os.cpu_count() or 1)


class LocalFiles:
    """Lists this machine's files."""

    scheme = "file"

    async def canonical(self, source: str) -> str:
        return to_uri(to_path(source))

    async def list(
        self, source: str, matcher: re.Pattern[str], *, progress: Progress | None = None
    ) -> Found:
        paths, seen = await in_thread(partial(find_files, source, matcher))
        found: dict[str, ListedFile] = {}
        size_bytes = 0

        async def read(batches: Iterator[list[str]]) -> None:
            nonlocal size_bytes
            for batch in batches:
                files = await in_thread(partial(hash_files, source, batch))
                found.update((file.path, file) for file in files)
                size_bytes += sum(file.size_bytes for file in files)
                if progress is not None:
                    progress(len(found), size_bytes)

        batches = (paths[at : at + BATCH_FILES] for at in range(0, len(paths), BATCH_FILES))
        readers = [asyncio.create_task(read(batches)) for _ in range(READERS)]
        try:
            await asyncio.gather(*readers)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)
        return Found(tuple(found[path] for path in paths), seen)
