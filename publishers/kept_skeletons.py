"""The skeletons of large results, kept beside the results so that one file is read by itself.

They are help and no more: a reader checks each block, so one that is damaged is noticed, and one
that is lost is made anew by hashing the result. All of this blocks.
"""

from contextlib import suppress
from pathlib import Path

from events.errors import ContentError
from publishers.skeleton import BuiltSkeleton, Skeleton

KEPT_FOLDER = ".dag"
"""No job id starts with a dot."""

KEPT_FROM_BYTES = 8 << 20
KEPT_FROM_FILES = 1000
"""A smaller result is hashed in about 20 ms, for which nothing needs to be kept."""


class KeptSkeletons:
    """The files `<root>/.dag/<job>/<shard>.car`."""

    def __init__(self, root: Path) -> None:
        self._folder = root / KEPT_FOLDER

    def find(self, key: str, cid: str) -> Skeleton | None:
        """Return the skeleton of the result `cid` at a key, None when it is not here."""
        try:
            skeleton = Skeleton.open(self._place(key))
        except (OSError, ContentError):
            return None
        if skeleton.cid == cid:
            return skeleton
        skeleton.close()
        return None

    def write(self, skeleton: BuiltSkeleton, path: Path) -> Path | None:
        """Write the skeleton of a large result to a free path; raises OSError."""
        if skeleton.dag_size_bytes <= KEPT_FROM_BYTES and skeleton.files <= KEPT_FROM_FILES:
            return None
        skeleton.write(path)
        return path

    def keep(self, written: Path | None, key: str) -> None:
        """Put what was written to its place, or away when that cannot be; it is not synced."""
        if written is None:
            return
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            written.replace(place)
        except OSError:
            discard(written)

    def forget(self, key: str) -> None:
        """Remove what is kept for a key, which another result is about to have."""
        discard(self._place(key))

    def _place(self, key: str) -> Path:
        return self._folder / f"{key}.car"


def discard(path: Path | None) -> None:
    """Remove a file, if there is one and it can be removed."""
    if path is not None:
        with suppress(OSError):
            path.unlink()
