"""Results as individual objects: the layout that the drivers of object stores share.

A result lies below `<job>/<shard>/<cid>/`: each file as an object under its path, `_dag.car` with
the blocks of folders and of large files, and `_manifest.json`. The manifest is written last and
only if there is none, so a result without one is not whole, and who finds results by listing looks
for manifests. Since the CID stands in the path, all who write an object write the same bytes to
it: a repeat, a race of two nodes and a takeover change nothing that was there.

So nothing may be sent that is not the CID's. Before its first byte goes out it is known which files
the CID has: from the skeleton that was kept when the result was hashed for its claim, else from
hashing it. Each file is then hashed on the way, and one that is another is never written. So a
large file that an earlier try left behind is right and need not be sent again. Only where there is
a manifest all is: who repeats what was done has reason to doubt it.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from functools import cache
from pathlib import Path

import msgspec

from events.errors import NotFound, PublishError
from publishers import reading
from publishers.checked_files import RUN_BYTES, changed, checked_pieces, file_runs, read_run
from publishers.in_parallel import for_each
from publishers.known_skeleton import known_skeleton
from publishers.object_copy import ObjectCopy
from publishers.object_names import MANIFEST, SKELETON, encoded, refuse_long_names
from publishers.object_store import ObjectStore
from publishers.port import Copy, Location, Result, require_key
from publishers.reading import Entry
from publishers.skeleton import IN_MEMORY_BYTES, BuiltSkeleton, Skeleton
from publishers.threads import in_thread

FILES_AT_ONCE = 16
MAX_MANIFEST_BYTES = 4096
RUNS_AT_ONCE = 4

RESUMED_FROM_BYTES = 8 << 20
"""From this size on it is worth asking whether a file is there."""


class Manifest(msgspec.Struct, frozen=True):
    """What `_manifest.json` says; its bytes follow from the result alone."""

    v: int
    cid: str
    dag_size_bytes: int
    files: int


class ObjectPublisher:
    """Everything of a driver but its name and its store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def check(self) -> None:
        await self._store.check()

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        base = f"{key}/{cid}"
        room_bytes = self._store.max_name_bytes - len(base) - 1
        skeleton = await asyncio.to_thread(_skeleton, result, cid, room_bytes)
        try:
            if skeleton.cid != cid:
                raise changed(f"the result for {key} has the CID {skeleton.cid}, not {cid}")
            with _first_of_group():
                async with asyncio.TaskGroup() as sending:
                    sending.create_task(self._send_files(result, base, skeleton))
                    sending.create_task(self._send_skeleton(base, skeleton))
            manifest = Manifest(1, cid, skeleton.dag_size_bytes, skeleton.files)
            # "There already" is as good: whose manifest stands here has the same bytes.
            await self._store.put_new(f"{base}/{MANIFEST}", msgspec.json.encode(manifest))
            return Location(f"{self._store.uri}/{base}", cid, skeleton.dag_size_bytes)
        finally:
            await asyncio.to_thread(skeleton.close)

    async def verify(self, location: Location) -> None:
        base = self._base(location)
        manifest = await self._manifest(location, base)
        if manifest != Manifest(1, location.cid, location.size_bytes, manifest.files):
            raise _tampered(f"the manifest of {location.uri} is another result's")
        copy = ObjectCopy(self._store, base)
        try:
            await reading.verify(copy, location.cid)
            # Blocks end where the tree says; an object may have grown behind the last.
            async with aclosing(reading.entries(copy, location.cid, recursive=True)) as entries:
                await for_each(entries, lambda entry: self._check_size(base, entry), FILES_AT_ONCE)
        except NotFound as error:
            raise PublishError("missing", error.what, hint="Publish it again") from error

    def copy(self, location: Location) -> Copy:
        return ObjectCopy(self._store, self._base(location))

    async def close(self) -> None:
        await self._store.close()

    async def _send_files(self, result: Result, base: str, skeleton: BuiltSkeleton) -> None:
        turn = asyncio.Semaphore(FILES_AT_ONCE)
        buffers: list[bytearray] = []

        @cache  # asked once, and only if there is a large file
        def was_whole() -> asyncio.Task[bool]:
            return asyncio.create_task(self._has(f"{base}/{MANIFEST}"))

        async def send_large(name: str, entry: Entry) -> None:
            may_be_there = entry.size_bytes >= RESUMED_FROM_BYTES and not await was_whole()
            if may_be_there and await self._has(name, entry.size_bytes):
                return
            async with aclosing(in_thread(checked_pieces(result, entry), ahead=1)) as stream:
                await self._store.put(name, entry.size_bytes, stream)

        async def send_small(name: str, data: memoryview) -> None:
            async with turn:
                await self._store.put_small(name, data)

        async def send(run: list[Entry]) -> None:
            names = [f"{base}/{encoded(os.fsencode(entry.path))}" for entry in run]
            if run[0].size_bytes > RUN_BYTES:
                await send_large(names[0], run[0])
                return
            buffer = buffers.pop() if buffers else bytearray(RUN_BYTES)
            read = await asyncio.to_thread(read_run, result, run, memoryview(buffer))
            with _first_of_group():
                async with asyncio.TaskGroup() as sending:
                    for name, data in zip(names, read, strict=True):
                        sending.create_task(send_small(name, data))
            buffers.append(buffer)  # not after a failure: a client may still read from it

        copy = _SkeletonCopy(skeleton)
        entries = reading.entries(copy, skeleton.cid, recursive=True)
        async with aclosing(entries), aclosing(file_runs(entries)) as runs:
            await for_each(runs, send, RUNS_AT_ONCE)

    async def _send_skeleton(self, base: str, skeleton: Skeleton) -> None:
        name = f"{base}/{SKELETON}"
        if skeleton.size_bytes <= IN_MEMORY_BYTES:
            await self._store.put_small(name, b"".join(skeleton.chunks()))
            return
        async with aclosing(in_thread(skeleton.chunks())) as chunks:
            await self._store.put(name, skeleton.size_bytes, chunks)

    async def _has(self, name: str, size_bytes: int | None = None) -> bool:
        """Say whether an object is there; who may not ask is told no."""
        try:
            found_bytes = await self._store.size(name)
        except (NotFound, PublishError):
            return False
        return size_bytes in {None, found_bytes}

    def _base(self, location: Location) -> str:
        """Return the prefix that a URI names; it came from the log, so it may say anything."""
        base = location.uri.removeprefix(f"{self._store.uri}/")
        key, _, cid = base.rpartition("/")
        if base == location.uri or cid != location.cid:
            raise PublishError(
                "bad-location",
                f"{location.uri!r} is not {self._store.uri}/<job>/<shard>/{location.cid}",
                permanent=True,
                hint="Ask a node whose publisher has that target",
            )
        require_key(key)
        return base

    async def _manifest(self, location: Location, base: str) -> Manifest:
        name = f"{base}/{MANIFEST}"
        try:
            size_bytes = min(await self._store.size(name), MAX_MANIFEST_BYTES)
            return msgspec.json.decode(
                await self._store.read(name, 0, size_bytes) if size_bytes else b"", type=Manifest
            )
        except NotFound as error:
            what = f"there is no whole result at {location.uri}"
            raise PublishError("missing", what, hint="Publish it again") from error
        except msgspec.DecodeError as error:
            raise _tampered(f"the manifest of {location.uri} is none") from error

    async def _check_size(self, base: str, entry: Entry) -> None:
        if entry.kind == "file":
            name = f"{base}/{encoded(os.fsencode(entry.path))}"
            found_bytes = await self._store.size(name)
            if found_bytes != entry.size_bytes:
                raise _tampered(f"{name} has {found_bytes} bytes, not {entry.size_bytes}")


class _SkeletonCopy:
    """The folders of a result that is being published."""

    def __init__(self, skeleton: Skeleton) -> None:
        self._skeleton = skeleton

    async def node(self, cid: bytes) -> bytes:
        return await asyncio.to_thread(self._skeleton.node, cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        raise NotFound(f"{path!r} is no folder", hint="Name a folder")

    async def close(self) -> None:
        """The skeleton is the publisher's."""


def _skeleton(result: Result, cid: str, room_bytes: int) -> BuiltSkeleton:
    known = None
    if isinstance(result, Path):
        if not result.is_dir():
            raise PublishError(
                "no-result",
                f"the result {result} is gone",
                permanent=True,
                hint="Let another execution publish",
            )
        refuse_long_names(result, room_bytes)
        known = known_skeleton(result, cid)
    return known or Skeleton.build(result)


@contextmanager
def _first_of_group() -> Iterator[None]:
    """Raise what went wrong first of what is done at the same time, by itself."""
    try:
        yield
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def _tampered(what: str) -> PublishError:
    return PublishError(
        "tampered", what, permanent=True, hint="Remove it and publish the shard again"
    )
