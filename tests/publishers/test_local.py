"""What only the driver `local` promises: a layout that people can read, and calm about the disk."""

import asyncio
import errno
import os
import resource
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.errors import PublishError
from publishers import open_publisher
from publishers.local import LocalPublisher
from publishers.port import Location, SmallResult, Workplace
from publishers.reading import fetch, stat
from publishers.unixfs import result_cid, tree_cid

RESULT = SmallResult(b"hello\n", b"", 0)
CID = result_cid(b"hello\n", b"", 0).cid


class FullDisk(SmallResult, frozen=True):
    """A result that ends in the middle, as it does on a disk that fills up."""

    def write_to(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "stdout").write_bytes(self.stdout[:2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "a root"


@pytest.fixture
async def publisher(root: Path) -> AsyncIterator[LocalPublisher]:
    opened = LocalPublisher(str(root), {}, Workplace(root))
    yield opened
    await opened.close()


async def test_a_result_is_a_folder_that_people_can_read(
    publisher: LocalPublisher, root: Path
) -> None:
    """A published shard is `<root>/<job>/<shard>`, with the files of a result in it."""
    await publisher.publish(RESULT, "job/7", cid=CID)
    place = root / "job" / "7"
    assert sorted(os.listdir(place)) == ["exit_code", "outputs", "stderr", "stdout"]
    assert (place / "exit_code").read_bytes() == b"0"


async def test_the_uri_is_the_folder_in_the_spelling_of_uris(
    publisher: LocalPublisher, root: Path
) -> None:
    """A root with a blank in its name still gives a URI that other tools can open."""
    location = await publisher.publish(RESULT, "job/7", cid=CID)
    assert location.uri == (root / "job" / "7").as_uri()
    assert " " not in location.uri


def test_a_relative_target_is_refused() -> None:
    """A target that depends on where the node was started is no target."""
    with pytest.raises(PublishError, match="absolute") as caught:
        open_publisher("local", "results", {}, Workplace(Path("x")))
    assert caught.value.permanent


def test_an_unknown_driver_is_refused_with_the_names_there_are() -> None:
    """A misspelt driver is an error that lists the drivers."""
    with pytest.raises(PublishError, match="local"):
        open_publisher("locl", "/results", {}, Workplace(Path("x")))


async def test_a_target_that_is_a_file_fails_the_check(tmp_path: Path) -> None:
    """A root that cannot be a folder is told by `check`, before any result waits for it."""
    (tmp_path / "file").write_bytes(b"x")
    publisher = open_publisher("local", str(tmp_path / "file"), {}, Workplace(tmp_path))
    with pytest.raises(PublishError, match="cannot be used"):
        await publisher.check()


async def test_a_full_disk_is_told_and_leaves_nothing(
    publisher: LocalPublisher, root: Path
) -> None:
    """When the disk is full nothing is visible, the error says so, and a repeat may succeed."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(FullDisk(b"hello\n", b"", 0), "job/0", cid=CID)
    assert (caught.value.code, caught.value.permanent) == ("disk-full", False)
    assert not (root / "job").exists()
    await publisher.publish(RESULT, "job/0", cid=CID)


async def test_leftovers_of_dead_processes_are_removed(
    publisher: LocalPublisher, root: Path
) -> None:
    """What a crashed process left in staging goes when the next one opens the root."""
    left = root / ".staging" / "dead"
    (left / "0").mkdir(parents=True)
    (left / "lock").touch()
    await publisher.check()
    assert not left.exists()


async def test_the_work_of_living_processes_is_left_alone(
    publisher: LocalPublisher, root: Path
) -> None:
    """A node that starts does not sweep away what another one is writing."""
    await publisher.check()
    (living,) = (root / ".staging").iterdir()
    other = LocalPublisher(str(root), {}, Workplace(root))
    await other.check()
    assert living.exists()
    await other.close()
    assert [*(root / ".staging").iterdir()] == [living]


async def test_a_root_that_was_emptied_is_used_again(
    publisher: LocalPublisher, root: Path, tmp_path: Path
) -> None:
    """Moving all results away under a running node does not stop it."""
    await publisher.publish(RESULT, "job/0", cid=CID)
    root.rename(tmp_path / "archive")
    location = await publisher.publish(RESULT, "job/0", cid=CID)
    await publisher.verify(location)


@pytest.mark.parametrize("in_the_way", ["job", "job/0"])
async def test_a_file_in_the_way_is_an_error_and_stays(
    publisher: LocalPublisher, root: Path, in_the_way: str
) -> None:
    """A file where a folder must be is never replaced."""
    blocker = root / in_the_way
    blocker.parent.mkdir(parents=True)
    blocker.write_bytes(b"mine")
    with pytest.raises(PublishError):
        await publisher.publish(RESULT, "job/0", cid=CID)
    assert blocker.read_bytes() == b"mine"


async def test_a_link_at_the_key_is_not_followed(
    publisher: LocalPublisher, root: Path, tmp_path: Path
) -> None:
    """A symlink to a result with the right CID is a conflict: its target may go any time."""
    RESULT.write_to(tmp_path / "elsewhere")
    (root / "job").mkdir(parents=True)
    (root / "job" / "0").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PublishError, match="already holds"):
        await publisher.publish(RESULT, "job/0", cid=CID)


async def test_a_reader_follows_no_link_out_of_a_result(
    publisher: LocalPublisher, root: Path, tmp_path: Path
) -> None:
    """A file that somebody replaced by a link to the same bytes elsewhere is not read."""
    location = await publisher.publish(RESULT, "job/0", cid=CID)
    stdout = root / "job" / "0" / "stdout"
    copy = publisher.copy(location)
    await stat(copy, CID, "stdout")
    stdout.rename(tmp_path / "elsewhere")
    stdout.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PublishError):
        _ = [piece async for piece in fetch(copy, CID, "stdout")]
    await copy.close()


async def test_a_caller_that_gives_up_does_not_stop_the_others(
    publisher: LocalPublisher,
) -> None:
    """Cancelling one of several waiting publications leaves the rest and the publisher working."""
    tasks = [
        asyncio.create_task(publisher.publish(RESULT, f"job/{index}", cid=CID))
        for index in range(4)
    ]
    waiting = asyncio.Event()
    asyncio.get_running_loop().call_soon(waiting.set)  # runs behind the first steps of the tasks
    await waiting.wait()
    tasks[1].cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(answer, asyncio.CancelledError) for answer in answers] == [
        False, True, False, False,
    ]  # fmt: skip
    await publisher.publish(RESULT, "job/9", cid=CID)


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A result of more bytes than are hashed for one read."""
    folder = tmp_path / "large"
    RESULT.write_to(folder)
    for index in range(10):
        (folder / "outputs" / str(index)).write_bytes(os.urandom(1 << 20))
    return folder


async def contents(publisher: LocalPublisher, location: Location, path: str) -> bytes:
    copy = publisher.copy(location)
    try:
        return b"".join([chunk async for chunk in fetch(copy, location.cid, path)])
    finally:
        await copy.close()


async def test_a_copy_that_is_given_up_ends_and_leaves_nothing(
    publisher: LocalPublisher, root: Path, tmp_path: Path
) -> None:
    """Cancelled in the middle of a large folder, no thread goes on to fill a disk."""
    folder = tmp_path / "result"
    folder.mkdir()
    (folder / "first").write_bytes(b"x")
    with open(folder / "large", "wb") as file:
        file.truncate(32 << 30)
    publishing = asyncio.ensure_future(publisher.publish(folder, "job/7", cid=CID))
    while not list(root.glob(".staging/*/*/large")):
        await asyncio.to_thread(os.stat, tmp_path)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing
    assert list(root.glob(".staging/*/*/large")) == []


async def test_one_file_of_a_large_result_is_read_without_the_rest(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """With its skeleton beside it, a file is right although another one of the result is gone."""
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    (root / "job" / "0" / "outputs" / "1").unlink()
    for path in ("stdout", "outputs/7"):
        assert await contents(publisher, location, path) == (large / path).read_bytes()
    with pytest.raises(PublishError, match="outputs/1 is not there"):
        await contents(publisher, location, "outputs/1")


@pytest.mark.parametrize("damage", [None, b"", b"nonsense", b"half"])
async def test_a_skeleton_that_is_lost_or_damaged_is_made_anew(
    publisher: LocalPublisher, root: Path, large: Path, damage: bytes | None
) -> None:
    """What is kept beside the results is a mere help: reading goes on, and mends it."""
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    kept = root / ".dag" / "job" / "0.car"
    good = kept.read_bytes()
    if damage is None:
        kept.unlink()
    else:
        kept.write_bytes(good[:-60] if damage == b"half" else damage)
    assert await contents(publisher, location, "outputs/7") == (large / "outputs/7").read_bytes()
    assert kept.read_bytes() == good


async def test_a_changed_block_in_a_skeleton_is_mended(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """A bit that has rotted in a kept block does not make the result unreadable."""
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    kept = root / ".dag" / "job" / "0.car"
    good = kept.read_bytes()
    at = good.index(b"stdout")
    kept.write_bytes(good[:at] + b"S" + good[at + 1 :])
    assert await contents(publisher, location, "stdout") == b"hello\n"
    assert kept.read_bytes() == good


async def test_the_skeleton_of_another_result_is_not_used(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """When a result gives way, what was kept for it leads nobody astray."""
    await publisher.publish(RESULT, "job/0", cid=CID)
    assert not (root / ".dag").exists()
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid, replace=True)
    first = (root / ".dag" / "job" / "0.car").read_bytes()
    await publisher.publish(RESULT, "job/0", cid=CID, replace=True)
    assert not (root / ".dag" / "job" / "0.car").exists()
    (root / ".dag" / "job" / "0.car").write_bytes(first)
    now = Location(location.uri, CID, 0)
    assert await contents(publisher, now, "stdout") == b"hello\n"


async def test_a_root_that_cannot_be_written_is_still_read(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """Without a place for the skeleton a reader hashes, and no more is lost."""
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    shutil.rmtree(root / ".dag")
    (root / ".dag").write_bytes(b"in the way")
    assert await contents(publisher, location, "stdout") == b"hello\n"
    again = await publisher.publish(large, "job/1", cid=location.cid)
    assert await contents(publisher, again, "stdout") == b"hello\n"


async def test_publishing_a_large_result_leaves_results_and_its_skeleton(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """Nothing of the staging stays, also when the result is not the one that was agreed on."""
    with pytest.raises(PublishError, match="not baf"):
        await publisher.publish(large, "job/0", cid=CID)
    location = await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    assert await publisher.publish(large, "job/0", cid=location.cid) == location
    await publisher.close()
    places = sorted(str(place.relative_to(root)) for place in root.glob("*/*"))
    assert places == [".dag/job", "job/0"]


async def test_holes_of_a_file_stay_holes(
    publisher: LocalPublisher, root: Path, tmp_path: Path
) -> None:
    """A sparse file is published as the bytes that it stands for, and takes no more room."""
    result = tmp_path / "sparse"
    RESULT.write_to(result)
    with (result / "outputs" / "sparse").open("wb") as file:
        file.seek(3 << 20)
        file.write(b"in the middle")
        file.truncate(30 << 20)
    (result / "outputs" / "hole").touch()
    os.truncate(result / "outputs" / "hole", 10 << 20)
    cid = tree_cid(result).cid
    location = await publisher.publish(result, "job/0", cid=cid)
    await publisher.verify(location)
    published = root / "job" / "0" / "outputs"
    assert sum(place.stat().st_blocks * 512 for place in published.iterdir()) < 2 << 20


async def test_a_disk_that_takes_no_more_in_the_middle_leaves_nothing(
    publisher: LocalPublisher, root: Path, large: Path
) -> None:
    """A large result of which a part could be written is not there, and a repeat succeeds."""
    (large / "outputs" / "big").write_bytes(os.urandom(3 << 20))
    cid = tree_cid(large).cid
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, limits[1]))
    try:
        with pytest.raises(PublishError, match="cannot be used") as caught:
            await publisher.publish(large, "job/0", cid=cid)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not caught.value.permanent
    assert not (root / "job").exists()
    assert [place.name for place in root.glob(".staging/*/*")] == ["lock"]
    await publisher.verify(await publisher.publish(large, "job/0", cid=cid))
