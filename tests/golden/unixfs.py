"""The golden trees of unixfs-golden.json, made by another implementation of the same profile."""

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple


class GoldenTree(NamedTuple):
    """Files by path, None for an empty folder; and what the other implementation made of it."""

    name: str
    files: dict[str, bytes | None]
    cid: str
    dag_size_bytes: int

    def write_to(self, folder: Path) -> None:
        """Put the tree into an existing folder."""
        for name, content in self.files.items():
            place = folder / name
            if content is None:
                place.mkdir(parents=True)
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)


@cache
def golden_trees() -> tuple[GoldenTree, ...]:
    """Read all trees."""
    text = Path(__file__).with_name("unixfs-golden.json").read_text(encoding="utf-8")
    return tuple(
        GoldenTree(tree["name"], _files(tree["entries"]), tree["root_cid"], tree["dag_size_bytes"])
        for tree in json.loads(text)["trees"]
    )


def _files(entries: list[dict[str, Any]]) -> dict[str, bytes | None]:
    files: dict[str, bytes | None] = {}
    for entry in entries:
        if "dir" in entry:
            files[entry["dir"]] = None
        elif "many" in entry:
            for i in range(entry["many"]["count"]):
                files[entry["many"]["pattern"].format(i=i)] = b"%d" % i
        elif "text" in entry:
            files[entry["path"]] = entry["text"].encode()
        else:
            files[entry["path"]] = _content(entry["seed"], entry["size"])
    return files


def _content(seed: str, size_bytes: int) -> bytes:
    rounds = range(size_bytes // 32 + 1)
    return b"".join(sha256(f"{seed}:{i}".encode()).digest() for i in rounds)[:size_bytes]
