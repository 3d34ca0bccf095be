"""The port of input sources: one driver for each scheme of `SCHEME://...`."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from events.items import ListedFile

Progress = Callable[[int, int], None]
"""Called with the files and bytes read so far, from the event loop."""


class Found(msgspec.Struct, frozen=True):
    """The files that matched, sorted by the bytes of their paths; `seen` counts all there were."""

    files: tuple[ListedFile, ...]
    seen: int


class Source(Protocol):
    """A kind of place that holds input files."""

    scheme: str

    async def canonical(self, source: str) -> str:
        """Return the source as every node understands it. Raises InvalidInput."""
        ...

    async def list(
        self, source: str, matcher: re.Pattern[str], *, progress: Progress | None = None
    ) -> Found:
        """Return size and digest of every file below `source` whose path `matcher` matches.

        A source that is one file is listed with the path "" and matched by its base name.
        Raises InvalidInput when the source is missing, unreadable or holds what has no listing.
        """
        ...

    async def stage(self, source: str, files: Sequence[ListedFile], dest: Path) -> None:
        """Copy listed files to `dest/<path>` (to `dest` for the path ""), read-only, verified.

        Safe to repeat. Raises ExecutorError: `input_changed` for a file that is missing or no
        longer what was listed, `input_denied` and `input_unreadable` for one that may or can not
        be read here, `stage` when `dest` cannot be written.
        """
        ...
