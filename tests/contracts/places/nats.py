"""The publisher suite's place for `nats`: a bucket of its own, seen through nats-py's client."""

import os
import uuid
from pathlib import Path
from typing import Self

import msgspec
from nats.aio.client import Client
from nats.js.api import ObjectInfo
from nats.js.errors import NotFoundError
from nats.js.object_store import ObjectStore

from events.connection import connect
from events.errors import NotFound
from publishers import reading
from publishers.object_names import MANIFEST, SKELETON, encoded
from publishers.port import Workplace
from publishers.skeleton import Skeleton
from tests.servers.nats import nats_port


class NatsPlace:
    """One bucket; the driver is pointed by the connection in its workplace."""

    driver = "nats"

    def __init__(self, folder: Path) -> None:
        self.target = f"place-{uuid.uuid4().hex}"
        self.credential: dict[str, str] = {}
        self.refused: dict[str, str] | None = None
        self.workplace = Workplace(folder)
        self.port: int | None = nats_port()
        self._folder = folder
        self._client: Client | None = None

    async def __aenter__(self) -> Self:
        self._client = await connect(f"nats://127.0.0.1:{self.port}", name="place")
        self.workplace = Workplace(self._folder, self._client)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._client is not None
        await self._client.close()

    def via(self, port: int) -> dict[str, str]:
        return {}

    async def seen_cid(self, key: str, cid: str) -> str | None:
        base = f"{key}/{cid}/"
        if f"{base}{MANIFEST}" not in await self._names():
            return None
        manifest = msgspec.json.decode(await self._get(base + MANIFEST))
        copy = _Seen(self, base, await self._get(base + SKELETON))
        await reading.verify(copy, cid)
        await copy.close()
        files = {name for name in await self._names() if name.startswith(base)}
        assert manifest["cid"] == cid
        assert manifest["files"] == len(files) - 2
        return cid

    async def tamper(self, key: str, cid: str) -> None:
        name = f"{key}/{cid}/stdout"
        data = await self._get(name)
        await (await self._bucket()).put(name, bytes([data[0] ^ 1]) + data[1:])

    async def remove(self, key: str, cid: str) -> None:
        bucket = await self._bucket()
        for name in await self._names():
            if name.startswith(f"{key}/{cid}/"):
                await bucket.delete(name)

    async def leftovers(self) -> list[str]:
        """Name objects of no whole result, and chunks of no object."""
        objects = await self._objects()
        whole = {one.name.removesuffix(MANIFEST) for one in objects if one.name.endswith(MANIFEST)}
        stray = [
            one.name for one in objects if "/".join(one.name.split("/")[:3]) + "/" not in whole
        ]
        led_to = {f"$O.{self.target}.C.{one.nuid}" for one in objects}
        return stray + sorted(await self._chunk_subjects() - led_to)

    async def get(self, name: str) -> bytes:
        """Return an object's bytes; raises `NotFound`."""
        try:
            return await self._get(name)
        except NotFoundError as error:
            raise NotFound(name) from error

    async def _bucket(self) -> ObjectStore:
        assert self._client is not None
        return await self._client.jetstream().object_store(self.target)

    async def _get(self, name: str) -> bytes:
        return (await (await self._bucket()).get(name)).data or b""

    async def _names(self) -> set[str]:
        return {found.name for found in await self._objects()}

    async def _objects(self) -> list[ObjectInfo]:
        try:
            bucket = await self._bucket()
            return [found for found in await bucket.list() if not found.deleted]
        except NotFoundError:
            return []

    async def _chunk_subjects(self) -> set[str]:
        assert self._client is not None
        try:
            found = await self._client.jetstream().stream_info(
                f"OBJ_{self.target}", subjects_filter=f"$O.{self.target}.C.>"
            )
        except NotFoundError:
            return set()
        return set(found.state.subjects or ())


class _Seen:
    """A published result as another client sees it."""

    def __init__(self, place: NatsPlace, base: str, skeleton: bytes) -> None:
        self._place = place
        self._base = base
        path = place.workplace.folder / f"seen-{uuid.uuid4().hex}.car"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(skeleton)
        self._skeleton = Skeleton.open(path)
        path.unlink()

    async def node(self, cid: bytes) -> bytes:
        return self._skeleton.node(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        data = await self._place.get(self._base + encoded(os.fsencode(path)))
        return data[offset : offset + size_bytes]

    async def close(self) -> None:
        self._skeleton.close()
