"""Names of objects for paths of any bytes, and the two that are the layout's own.

Paths are percent-encoded: letters, digits, `/` and `!-_.~*'()` stand for themselves. So plain
names are read as they are, no two paths share a name, and no service or tool has to agree with
another on how to spell the rest. A first `_` of the whole path is encoded too, so that no file of
a result can take the place of the two objects that are none of its files.
"""

import os
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from events.errors import ContentError, PublishError
from publishers.disk import disk_error
from publishers.tree_walk import listing

SKELETON = "_dag.car"
"""The blocks of folders and of files above one chunk, as a CAR file."""

MANIFEST = "_manifest.json"
"""Written last: where it is, all is."""

_PLAIN = "/!*'()"
_SHOWN = 80
_MOST_PER_BYTE = 3


def encoded(path: bytes) -> str:
    """Return the name for a file's path, below the result's own prefix."""
    name = quote_from_bytes(path, _PLAIN)
    return f"%5F{name[1:]}" if name.startswith("_") else name


def decoded(name: str) -> bytes:
    """Return the path that a name stands for."""
    return unquote_to_bytes(name)


def refuse_long_names(folder: Path, limit_bytes: int) -> None:
    """Raise `PublishError` if the name of any file below `folder` is above the limit; blocks.

    Memory is the names of one folder and of the folders still to be looked at.
    """
    try:
        below = [(b"", 0)]
        while below:
            parent, depth = below.pop()
            for name, is_folder in listing(os.path.join(os.fsencode(folder), parent), depth):
                path = os.path.join(parent, name)
                if is_folder:
                    below.append((path, depth + 1))
                elif _MOST_PER_BYTE * len(path) > limit_bytes:
                    _refuse_long_name(path, limit_bytes)
    except ContentError as error:
        raise PublishError("bad-result", error.what, permanent=True, hint=error.hint) from error
    except OSError as error:
        raise disk_error(error, f"the result {folder}") from error


def _refuse_long_name(path: bytes, limit_bytes: int) -> None:
    size_bytes = len(encoded(path))
    if size_bytes > limit_bytes:
        raise PublishError(
            "bad-name",
            f"the object for {os.fsdecode(path[:_SHOWN])!r}... needs a name of {size_bytes} bytes,"
            f" {limit_bytes} are left",
            permanent=True,
            hint="Shorten the path, or the publisher's prefix; characters beyond ASCII count 3 or"
            " more each",
        )
