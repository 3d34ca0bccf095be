"""Small CARs in memory: the folder that joins a job's shards, and the one that tries a service."""

import io
from typing import NamedTuple

from events.car import car
from events.cid import cid_text
from events.dagpb import decode
from events.errors import ContentError, PublishError
from events.unixfs import directory
from publishers.car import read_car


class RootCar(NamedTuple):
    """A CAR of folder blocks: its root as text, all of its CIDs in 36 bytes, and sizes.

    `dag_size_bytes` is that of the root with all that lies elsewhere. `links` says whether the
    root has any.
    """

    car: bytes
    cid: str
    blocks: tuple[bytes, ...]
    dag_size_bytes: int
    links: bool


def read_root_car(data: bytes, cid: str) -> RootCar:
    """Check a CAR whose root is to be `cid`; raise `PublishError` when it is damaged or another."""
    try:
        reader = read_car(io.BytesIO(data))
        blocks = dict(reader)
        root = blocks.get(reader.root, b"")
        if cid_text(reader.root) != cid or not root:
            raise PublishError(
                "wrong-cid", f"the CAR of the job's root is not that of {cid}", permanent=True
            )
        links, _ = decode(root)
    except ContentError as error:
        raise PublishError("bad-result", error.what, permanent=True, hint=error.hint) from error
    size_bytes = len(root) + sum(link.dag_size_bytes for link in links)
    return RootCar(data, cid, tuple(blocks), size_bytes, bool(links))


_EMPTY: list[tuple[bytes, bytes]] = []
_EMPTY_CID = directory((), lambda cid, block: _EMPTY.append((cid, bytes(block)))).cid

EMPTY_FOLDER = RootCar(
    car(_EMPTY_CID, _EMPTY), cid_text(_EMPTY_CID), (_EMPTY_CID,), len(_EMPTY[0][1]), links=False
)
"""What services are tried with: nearly every result holds it anyway, as its `outputs`."""
EMPTY_FOLDER_BLOCK = _EMPTY[0]
