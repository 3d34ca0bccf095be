"""The port of input sources on a node: besides listing files it brings them to an execution."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from events.inputs.port import Listable
from events.items import ListedFile


class Source(Listable, Protocol):
    """A kind of place that holds input files."""

    async def stage(self, source: str, files: Sequence[ListedFile], dest: Path) -> None:
        """Copy listed files to `dest/<path>` (to `dest` for the path ""), read-only, verified.

        Safe to repeat. Raises ExecutorError: `input_changed` for a file that is missing or no
        longer what was listed, `input_denied` and `input_unreadable` for one that may or can not
        be read here, `stage` when `dest` cannot be written.
        """
        ...
