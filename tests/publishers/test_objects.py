"""The layout of object stores, over a store in memory that can be made to fail at any step."""

import os
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import NotFound, PublishError
from node.compute.skeletons import keep_skeleton
from publishers import reading
from publishers.checked_files import read_run
from publishers.object_names import MANIFEST, SKELETON, decoded, encoded
from publishers.object_store import PIECE_BYTES
from publishers.objects import FILES_AT_ONCE, RESUMED_FROM_BYTES, RUNS_AT_ONCE, ObjectPublisher
from publishers.port import Location, SmallResult
from publishers.skeleton import Skeleton
from publishers.unixfs import result_cid, tree_cid

MIB = 1 << 20
SMALL = SmallResult(b"one\n", b"", 0)
SMALL_CID = result_cid(b"one\n", b"", 0).cid


class Stopped(Exception):
    """The process ends here."""


class MemoryStore:
    """An object store; it stops before the operation that `steps` counts down to."""

    uri = "mem://bucket"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.order: list[str] = []
        self.steps = -1
        self.max_name_bytes = 1024
        self.begun = 0
        self.most_begun = 0
        self.changing: Path | None = None
        self.readable = True
        self.asked: list[str] = []

    async def check(self) -> None:
        return None

    async def put(self, name: str, size_bytes: int, chunks: AsyncIterator[bytes]) -> None:
        self.begun += 1
        self.most_begun = max(self.most_begun, self.begun)
        self._step()
        data = b""
        async for chunk in chunks:
            assert len(chunk) <= PIECE_BYTES
            data += chunk
            if self.changing is not None:
                with self.changing.open("r+b") as file:
                    file.seek(-1, os.SEEK_END)
                    file.write(b"x")
        assert len(data) == size_bytes
        assert self.objects.get(name, data) == data, "an object is replaced by other bytes"
        self._step()
        self.objects[name] = data
        self.order.append(name)
        self.begun -= 1

    async def put_small(self, name: str, data: bytes | memoryview) -> None:
        async def given() -> AsyncIterator[bytes]:
            yield bytes(data)

        await self.put(name, len(data), given())

    async def put_new(self, name: str, data: bytes) -> bool:
        self._step()
        if name in self.objects:
            return False
        self.objects[name] = data
        self.order.append(name)
        self._step()
        return True

    async def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        if offset >= await self.size(name):
            raise NotFound(name)
        return self.objects[name][offset : offset + size_bytes]

    async def size(self, name: str) -> int:
        self.asked.append(name)
        if not self.readable:
            raise PublishError("refused", "not for you", permanent=True)
        if name not in self.objects:
            raise NotFound(name)
        return len(self.objects[name])

    async def close(self) -> None:
        return None

    def _step(self) -> None:
        if self.steps == 0:
            raise Stopped
        self.steps -= 1


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def publisher(store: MemoryStore) -> ObjectPublisher:
    return ObjectPublisher(store)


def make_result(folder: Path) -> tuple[Path, str]:
    """Make a result with everything that a tree can hold but a large file."""
    result = folder / "result"
    (result / "outputs" / "empty").mkdir(parents=True)
    (result / "stdout").write_bytes(b"out")
    (result / "stderr").write_bytes(b"")
    (result / "exit_code").write_bytes(b"0")
    (result / "outputs" / ".hidden").write_bytes(b"h")
    Path(os.fsdecode(os.fsencode(result) + b"/outputs/\xff a#%\n")).write_bytes(b"odd")
    (result / MANIFEST).write_bytes(b"not yours")
    (result / SKELETON).write_bytes(b"nor this")
    return result, tree_cid(result).cid


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (b"stdout", "stdout"),
        (b"outputs/part-0001_of_3.csv", "outputs/part-0001_of_3.csv"),
        (b"outputs/a b", "outputs/a%20b"),
        (b"outputs/100%", "outputs/100%25"),
        ("outputs/é".encode(), "outputs/%C3%A9"),
        (b"_manifest.json", "%5Fmanifest.json"),
        (b"outputs/_x", "outputs/_x"),
    ],
)
def test_plain_names_are_read_as_they_are(path: bytes, name: str) -> None:
    """An object is named by its path, percent-encoded where a service might see more in it."""
    assert encoded(path) == name


@given(st.lists(st.binary(min_size=1).filter(lambda name: b"/" not in name), min_size=1))
def test_every_path_has_a_name_of_its_own(segments: list[bytes]) -> None:
    """A name gives back the path of any bytes, is plain ASCII, and is none of the layout's own."""
    path = b"/".join(segments)

    name = encoded(path)

    assert decoded(name) == path
    assert name.isascii()
    assert name.isprintable()
    assert " " not in name
    assert name not in {MANIFEST, SKELETON}


async def test_a_result_lies_as_its_files(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """Each file is an object below job, shard and CID, beside the skeleton and the manifest."""
    result, cid = make_result(tmp_path)

    location = await publisher.publish(result, "job/7", cid=cid)

    base = f"job/7/{cid}"
    assert location.uri == f"mem://bucket/{base}"
    assert store.objects[f"{base}/outputs/.hidden"] == b"h"
    assert store.objects[f"{base}/outputs/%FF%20a%23%25%0A"] == b"odd"
    assert store.objects[f"{base}/%5Fmanifest.json"] == b"not yours"
    assert store.objects[f"{base}/%5Fdag.car"] == b"nor this"
    assert store.objects[f"{base}/stderr"] == b""
    assert len(store.objects) == 9
    assert msgspec.json.decode(store.objects[f"{base}/{MANIFEST}"]) == {
        "v": 1,
        "cid": cid,
        "dag_size_bytes": location.size_bytes,
        "files": 7,
    }


async def test_a_copy_gives_the_whole_tree(publisher: ObjectPublisher, tmp_path: Path) -> None:
    """Empty folders and odd names are read back from a copy as they were."""
    result, cid = make_result(tmp_path)
    location = await publisher.publish(result, "job/0", cid=cid)
    copy = publisher.copy(location)

    found = {entry.path async for entry in reading.entries(copy, cid, recursive=True)}
    odd = os.fsdecode(b"outputs/\xff a#%\n")
    data = [chunk async for chunk in reading.fetch(copy, cid, odd)]

    assert found == {os.path.relpath(path, result) for path in result.rglob("*")}
    assert data == [b"odd"]


async def test_the_manifest_comes_last(store: MemoryStore, publisher: ObjectPublisher) -> None:
    """What marks a result as whole is written when all else is."""
    await publisher.publish(SMALL, "job/0", cid=SMALL_CID)

    assert store.order[-1] == f"job/0/{SMALL_CID}/{MANIFEST}"


async def test_a_death_at_any_step_is_made_good(tmp_path: Path) -> None:
    """Wherever a publication ends, no manifest stands without the rest, and a repeat succeeds."""
    result, cid = make_result(tmp_path)
    steps = 0
    while True:
        store = MemoryStore()
        publisher = ObjectPublisher(store)
        store.steps = steps
        try:
            await publisher.publish(result, "job/0", cid=cid)
        except Stopped:
            whole = f"job/0/{cid}/{MANIFEST}" in store.objects
            assert not whole or len(store.objects) == 9
        else:
            break
        store.steps = -1
        await publisher.verify(await publisher.publish(result, "job/0", cid=cid))
        await publisher.close()
        steps += 1

    assert steps == 18


async def test_a_large_file_is_not_sent_twice(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """A repeat goes on where a try ended, and sends all again once the result was whole."""
    result, _ = make_result(tmp_path)
    with (result / "outputs" / "large").open("wb") as file:
        file.truncate(RESUMED_FROM_BYTES)
    cid = tree_cid(result).cid
    name = f"job/0/{cid}/outputs/large"
    location = await publisher.publish(result, "job/0", cid=cid)

    def sent() -> int:
        return store.order.count(name)

    assert sent() == 1
    del store.objects[f"job/0/{cid}/{MANIFEST}"]
    await publisher.publish(result, "job/0", cid=cid)
    assert sent() == 1
    await publisher.publish(result, "job/0", cid=cid)
    assert sent() == 2
    await publisher.verify(location)


async def test_small_files_are_sent_unasked(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """However many small files a result has, nothing is asked of the store; large ones are."""
    result, _ = make_result(tmp_path)
    for number in range(RESUMED_FROM_BYTES // 500_000 + 1):
        (result / "outputs" / f"{number:03}").write_bytes(bytes([number]) * 500_000)
    await publisher.publish(result, "job/0", cid=tree_cid(result).cid)
    assert store.asked == []

    for name in ("large-1", "large-2"):
        with (result / "outputs" / name).open("wb") as file:
            file.truncate(RESUMED_FROM_BYTES)
    cid = tree_cid(result).cid
    await publisher.publish(result, "job/0", cid=cid)

    base = f"job/0/{cid}"
    assert sorted(store.asked) == [
        f"{base}/{MANIFEST}",
        f"{base}/outputs/large-1",
        f"{base}/outputs/large-2",
    ]


async def test_who_may_not_ask_sends_again(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """An identity that may only write publishes large files, too."""
    result, _ = make_result(tmp_path)
    with (result / "outputs" / "large").open("wb") as file:
        file.truncate(RESUMED_FROM_BYTES)
    cid = tree_cid(result).cid
    store.readable = False

    await publisher.publish(result, "job/0", cid=cid)

    assert f"job/0/{cid}/{MANIFEST}" in store.objects


async def test_two_nodes_write_the_same_bytes(tmp_path: Path) -> None:
    """Whoever publishes a result, each of its objects is the same to the byte."""
    result, cid = make_result(tmp_path)
    stores = [MemoryStore(), MemoryStore()]
    for store in stores:
        publisher = ObjectPublisher(store)
        await publisher.publish(result, "job/0", cid=cid)
        await publisher.close()

    assert stores[0].objects == stores[1].objects


async def test_another_result_is_not_sent(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """Of a result that does not have the CID, not one byte goes out."""
    result, _ = make_result(tmp_path)

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=SMALL_CID)

    assert (caught.value.code, caught.value.permanent) == ("wrong-cid", True)
    assert store.objects == {}
    assert store.begun == 0


async def test_a_file_that_changes_is_not_written(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """A file whose last byte changes while its first bytes go out is no object."""
    result, _ = make_result(tmp_path)
    store.changing = result / "outputs" / "z"
    with store.changing.open("wb") as file:
        file.truncate(24 * MIB)
    cid = tree_cid(result).cid

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=cid)

    assert (caught.value.code, caught.value.permanent) == ("wrong-cid", True)
    assert f"job/0/{cid}/outputs/z" not in store.objects
    assert f"job/0/{cid}/{MANIFEST}" not in store.objects


async def test_a_small_file_that_changes_is_not_written(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """Of many small files the first are sent as they were hashed, and the rest are hashed again."""
    result, _ = make_result(tmp_path)
    for number in range(FILES_AT_ONCE + 2 * RUNS_AT_ONCE + 5):
        (result / "outputs" / f"{number:03}").write_bytes(bytes([number]) * 500_000)
    store.changing = result / "outputs" / f"{number:03}"
    cid = tree_cid(result).cid

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=cid)

    assert caught.value.code == "wrong-cid"
    assert f"job/0/{cid}/outputs/{number:03}" not in store.objects
    assert f"job/0/{cid}/{MANIFEST}" not in store.objects


@pytest.mark.parametrize("size_bytes", [7, 3 * MIB])
@pytest.mark.parametrize("change", ["other", "gone", "folder"])
async def test_what_changed_since_the_claim_is_not_written(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path, size_bytes: int, change: str
) -> None:
    """A result that need not be hashed again is checked on its way, file by file."""
    result, _ = make_result(tmp_path)
    file = result / "outputs" / "z"
    file.write_bytes(bytes(size_bytes))
    skeleton = Skeleton.build(result)
    assert keep_skeleton(skeleton, result)
    skeleton.close()
    if change == "other":
        file.write_bytes(bytes(size_bytes - 1) + b"x")
    else:
        file.unlink()
    if change == "folder":
        file.mkdir()

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=skeleton.cid)

    assert (caught.value.code, caught.value.permanent) == ("wrong-cid", True)
    assert f"job/0/{skeleton.cid}/outputs/z" not in store.objects
    assert f"job/0/{skeleton.cid}/{MANIFEST}" not in store.objects


def test_what_cannot_be_opened_just_now_has_not_changed(tmp_path: Path) -> None:
    """A process that is out of descriptors may read the file later."""
    result, _ = make_result(tmp_path)
    file = result / "outputs" / ".hidden"
    entry = reading.Entry("outputs/.hidden", "file", 1, tree_cid(file).cid)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))  # for the folder alone
    try:
        with pytest.raises(PublishError) as caught:
            read_run(result, [entry], memoryview(bytearray(1)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert (caught.value.code, caught.value.permanent) == ("io-error", False)


async def test_a_name_that_is_too_long_is_refused_before_all(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """A path whose name the store cannot take stops the publication before its first byte."""
    result, _ = make_result(tmp_path)
    long = result / "outputs" / ("é" * 120)
    long.mkdir()
    (long / ("é" * 120)).write_bytes(b"")
    cid = tree_cid(result).cid

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=cid)

    assert (caught.value.code, caught.value.permanent) == ("bad-name", True)
    assert "Shorten" in caught.value.hint
    assert store.begun == 0


async def test_a_result_that_is_gone_says_so(publisher: ObjectPublisher, tmp_path: Path) -> None:
    """A folder that is not there any more is a permanent failure of this node."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(tmp_path / "gone", "job/0", cid=SMALL_CID)

    assert (caught.value.code, caught.value.permanent) == ("no-result", True)


async def test_many_files_go_some_at_a_time(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path
) -> None:
    """However many files a result has, a bounded number of them is under way."""
    result, _ = make_result(tmp_path)
    for number in range(6000):
        (result / "outputs" / f"a-name-of-some-length-{number}").touch()
    cid = tree_cid(result).cid

    await publisher.verify(await publisher.publish(result, "job/0", cid=cid))

    assert len(store.objects) == 6009
    assert store.most_begun <= FILES_AT_ONCE


@pytest.mark.parametrize(
    "damage",
    [
        lambda objects, base: objects.pop(f"{base}/stdout"),
        lambda objects, base: objects.pop(f"{base}/stderr"),
        lambda objects, base: objects.update({f"{base}/stdout": b"0ut"}),
        lambda objects, base: objects.update({f"{base}/stdout": b"out and more"}),
        lambda objects, base: objects.update({f"{base}/stderr": b"more"}),
        lambda objects, base: objects.update({f"{base}/stdout": b"o"}),
        lambda objects, base: objects.update({f"{base}/{MANIFEST}": b"{}"}),
        lambda objects, base: objects.update({f"{base}/{MANIFEST}": b""}),
        lambda objects, base: objects.update({f"{base}/{SKELETON}": b"x" * 200}),
        lambda objects, base: objects.update({f"{base}/{SKELETON}": b""}),
        lambda objects, base: objects.pop(f"{base}/{SKELETON}"),
    ],
)
async def test_every_damage_is_found(
    store: MemoryStore, publisher: ObjectPublisher, tmp_path: Path, damage: object
) -> None:
    """An object that is missing, changed, cut or longer does not pass as the result."""
    result, cid = make_result(tmp_path)
    location = await publisher.publish(result, "job/0", cid=cid)
    assert callable(damage)
    damage(store.objects, f"job/0/{cid}")

    with pytest.raises(PublishError) as caught:
        await publisher.verify(location)

    assert caught.value.code in {"tampered", "missing"}


async def test_no_manifest_is_no_result(store: MemoryStore, publisher: ObjectPublisher) -> None:
    """A result without its manifest is missing, and publishing it again helps."""
    location = await publisher.publish(SMALL, "job/0", cid=SMALL_CID)
    del store.objects[f"job/0/{SMALL_CID}/{MANIFEST}"]

    with pytest.raises(PublishError) as caught:
        await publisher.verify(location)

    assert (caught.value.code, caught.value.permanent) == ("missing", False)
    await publisher.verify(await publisher.publish(SMALL, "job/0", cid=SMALL_CID))


@pytest.mark.parametrize(
    "uri",
    [
        f"mem://other/job/0/{SMALL_CID}",
        f"mem://bucket/job/0/{SMALL_CID}/x",
        f"mem://bucket/../job/0/{SMALL_CID}",
        "mem://bucket/job/0/other",
        "mem://bucket",
        "",
    ],
)
def test_a_location_elsewhere_is_refused(publisher: ObjectPublisher, uri: str) -> None:
    """A URI from the log opens nothing but a result of this place."""
    with pytest.raises(PublishError) as caught:
        publisher.copy(Location(uri, SMALL_CID, 1))

    assert caught.value.permanent
