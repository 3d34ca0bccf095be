"""What is in a result."""

from typing import Literal

from node.web.api.documents import Document


class ResultEntry(Document, frozen=True):
    """A file or folder; `encoded` is its name as it stands in a path, `name` shows it as text.

    `size_bytes` is the file's, and of a folder that of all in it, packed.
    """

    name: str
    encoded: str
    kind: Literal["file", "folder"]
    size_bytes: int
    cid: str


class ResultPage(Document, frozen=True):
    """What is in a folder, in the byte order of names, or the shards that have a result."""

    entries: list[ResultEntry]
    next: str | None
