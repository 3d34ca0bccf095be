"""Where files go when the trees of several shards are laid into one.

A path that one shard alone has stays as it is. A file whose path another shard has too gets its
shard in its name: `out.txt` becomes `out.shard-3.txt`. So that no such name can meet one that was
there, a file or folder whose own name already looks like that gets the shard as well, shared or
not. Folders of the same path become one.
"""

import os
import re

_MARKED = re.compile(r"\.shard-\d+(\.[^.]*)?\Z", re.ASCII | re.DOTALL)


def laid_out(path: str, shard: int, *, shared: bool) -> str:
    """Return the path that a shard's file has in the merged tree; no two files get the same.

    `shared` says that another shard has a file or folder of that path.
    """
    parts = path.split("/")
    if shared and not _MARKED.search(parts[-1]):
        parts[-1] = _marked(parts[-1], shard)
        return "/".join([*(laid_out_folder(part, shard) for part in parts[:-1]), parts[-1]])
    return laid_out_folder(path, shard)


def laid_out_folder(path: str, shard: int) -> str:
    """Return the path that a shard's folder has in the merged tree."""
    return "/".join(
        _marked(part, shard) if _MARKED.search(part) else part for part in path.split("/")
    )


def _marked(name: str, shard: int) -> str:
    base, suffix = os.path.splitext(name)
    return f"{base}.shard-{shard}{suffix}"
