"""The publisher suite's place for `s3`: a prefix of its own in a bucket of SeaweedFS."""

import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import msgspec
import obstore

from events.errors import NotFound
from publishers import reading
from publishers.object_names import MANIFEST, SKELETON, decoded
from publishers.port import Workplace
from publishers.s3 import PROBE
from publishers.skeleton import Skeleton
from publishers.unixfs import tree_cid
from tests.servers.seaweedfs import BUCKET, seaweedfs


class S3Place:
    """Seen through the bare client, as the administrator."""

    driver = "s3"

    def __init__(self, folder: Path) -> None:
        self._server = seaweedfs()
        self._bucket = self._server.bucket()
        self._prefix = f"place-{uuid.uuid4().hex}"
        self.target = f"s3://{BUCKET}/{self._prefix}"
        self.credential = self._server.credential("admin")
        self.refused: dict[str, str] | None = self._server.credential("nobody")
        self.port: int | None = self._server.port
        self.workplace = Workplace(folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._delete("")

    def via(self, port: int) -> dict[str, str]:
        return self._server.credential("admin", port)

    async def seen_cid(self, key: str, cid: str) -> str | None:
        base = f"{self._prefix}/{key}/{cid}/"
        found = {name.removeprefix(base) async for name in self._names(base)}
        if MANIFEST not in found:
            return None
        said = msgspec.json.decode(await self._read(base + MANIFEST))
        files = found - {MANIFEST, SKELETON}
        assert said["cid"] == cid
        assert said["files"] == len(files)
        with tempfile.TemporaryDirectory() as scratch:
            skeleton = Path(scratch) / SKELETON
            skeleton.write_bytes(await self._read(base + SKELETON))
            tree = Path(scratch) / "tree"
            tree.mkdir()
            await _make_folders(Skeleton.open(skeleton), tree)
            for name in files:
                path = Path(os.fsdecode(os.path.join(os.fsencode(tree), decoded(name))))
                path.write_bytes(await self._read(base + name))
            return tree_cid(tree).cid

    async def tamper(self, key: str, cid: str) -> None:
        name = f"{self._prefix}/{key}/{cid}/stdout"
        data = await self._read(name)
        await obstore.put_async(self._bucket, name, bytes([data[0] ^ 1]) + data[1:])

    async def remove(self, key: str, cid: str) -> None:
        await self._delete(f"{key}/{cid}/")

    async def leftovers(self) -> list[str]:
        """Name what belongs to no whole result; the object that `check` makes is the driver's."""
        names = {name async for name in self._names(f"{self._prefix}/")}
        whole = {name.removesuffix(MANIFEST) for name in names if name.endswith(f"/{MANIFEST}")}
        stray = names - {f"{self._prefix}/{PROBE}"}
        return sorted(one for one in stray if "/".join(one.split("/")[:4]) + "/" not in whole)

    async def _names(self, prefix: str) -> AsyncIterator[str]:
        async for batch in self._bucket.list(prefix):
            for found in batch:
                yield found["path"]

    async def _read(self, name: str) -> bytes:
        return bytes(await (await obstore.get_async(self._bucket, name)).bytes_async())

    async def _delete(self, below: str) -> None:
        names = [name async for name in self._names(f"{self._prefix}/{below}")]
        if names:
            await obstore.delete_async(self._bucket, names)


class _Folders:
    """The folders of a skeleton, as a copy."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton

    async def node(self, cid: bytes) -> bytes:
        return self._skeleton.node(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        raise NotFound(path)

    async def close(self) -> None:
        self._skeleton.close()


async def _make_folders(skeleton: Skeleton, tree: Path) -> None:
    copy = _Folders(skeleton)
    async for entry in reading.entries(copy, skeleton.cid, recursive=True):
        if entry.kind == "folder":
            (tree / entry.path).mkdir()
    await copy.close()
