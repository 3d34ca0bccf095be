"""The port of input sources, as far as who submits a job needs it: one driver for each scheme.

A node that runs executions also stages files: see `node.inputs.port`.
"""

import re
from collections.abc import Callable
from typing import Protocol

import msgspec

from events.items import ListedFile

Progress = Callable[[int, int], None]
"""Called with the files and bytes read so far, from the event loop."""


class Found(msgspec.Struct, frozen=True):
    """The files that matched, sorted by the bytes of their paths; `seen` counts all there were."""

    files: tuple[ListedFile, ...]
    seen: int


class Listable(Protocol):
    """A kind of place that holds input files, of the sources `SCHEME://...`."""

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
