"""Where an observer keeps what it has folded: a cache, one folder for each log."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import platformdirs

from node.locks import Held, take

log = logging.getLogger(__name__)


def cache_folder(log: str) -> Path:
    """Return the folder for the log that is so called: by its server's URL, or by a digest."""
    name = hashlib.sha256(log.encode()).hexdigest()[:16]
    return platformdirs.user_cache_path("lota") / "observers" / name


@contextmanager
def locked_folder(folder: Path) -> Iterator[Path]:
    """Have a folder to oneself: this one, or while another has it, one to throw away."""
    try:
        lock = take(folder)
    except (Held, OSError) as error:
        why = f"process {error.by} has it" if isinstance(error, Held) else error.strerror
        log.info("%s is not used, as %s: the log is folded once more", folder, why)
        with tempfile.TemporaryDirectory(prefix="lota-observer-") as other:
            yield Path(other)
        return
    try:
        yield folder
    finally:
        os.close(lock)
