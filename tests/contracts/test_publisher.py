"""What every publisher must do, run on every driver that is registered."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.errors import NotFound, PublishError
from publishers import names, open_publisher, reading
from publishers.port import Location, Publisher, SmallResult, Workplace
from publishers.unixfs import result_cid, tree_cid
from tests.contracts.crash_at_step import KEY
from tests.contracts.publisher_places import PLACES, Place

REPOSITORY = Path(__file__).parents[2]
SMALL = SmallResult(b"hello\n", b"", 0)
SMALL_CID = result_cid(b"hello\n", b"", 0).cid
OTHER = SmallResult(b"other\n", b"", 0)
OTHER_CID = result_cid(b"other\n", b"", 0).cid


@pytest.fixture(params=names())
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def place(driver: str, tmp_path: Path) -> Place:
    return PLACES[driver](tmp_path / "place")


@pytest.fixture
async def publisher(driver: str, place: Place) -> AsyncIterator[Publisher]:
    opened = open_publisher(driver, place.target, {}, Workplace(Path(place.target)))
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A result with files of all sorts in its outputs."""
    result = tmp_path / "result"
    SmallResult(b"out\n", b"err\n", 3).write_to(result)
    (result / "outputs" / "empty").mkdir()
    (result / "outputs" / ".hidden").write_bytes(b"h")
    (result / "outputs" / "a b").mkdir()
    (result / "outputs" / "a b" / "ünï.bin").write_bytes(os.urandom(3_000_000))
    return result


async def fetched(publisher: Publisher, location: Location, path: str) -> bytes:
    copy = publisher.copy(location)
    try:
        return b"".join([piece async for piece in reading.fetch(copy, location.cid, path)])
    finally:
        await copy.close()


def test_every_driver_is_held_to_this_suite() -> None:
    """A driver that is registered has a place to be tried on."""
    assert set(names()) == set(PLACES)


async def test_a_usable_place_passes_the_check(publisher: Publisher) -> None:
    """`check` says nothing when the place can be used, however often it is asked."""
    await publisher.check()
    await publisher.check()


async def test_a_folder_is_published_whole(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """All of a result, hidden files and empty folders included, is at the key under its CID."""
    tree = tree_cid(folder)
    location = await publisher.publish(folder, KEY, cid=tree.cid)
    assert (location.cid, location.size_bytes) == (tree.cid, tree.dag_size_bytes)
    assert place.seen_cid(KEY) == tree.cid
    await publisher.verify(location)


async def test_a_small_result_is_the_tree_that_its_cid_names(
    publisher: Publisher, place: Place
) -> None:
    """A result from memory is published as the tree that it stands for."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    assert (location.cid, location.size_bytes) == result_cid(b"hello\n", b"", 0)
    assert place.seen_cid(KEY) == SMALL_CID
    await publisher.verify(location)


async def test_many_results_at_once_all_arrive(publisher: Publisher, place: Place) -> None:
    """Results published in one breath are each at their own key."""
    results = [SmallResult(b"%d" % index, b"", 0) for index in range(300)]
    cids = [result_cid(result.stdout, b"", 0).cid for result in results]
    locations = await asyncio.gather(
        *(
            publisher.publish(result, f"job/{index}", cid=cids[index])
            for index, result in enumerate(results)
        )
    )
    assert [location.cid for location in locations] == cids
    assert [place.seen_cid(f"job/{index}") for index in range(300)] == cids


async def test_one_bad_result_does_not_spoil_its_neighbours(
    publisher: Publisher, place: Place
) -> None:
    """Of results published together only the one with a wrong CID fails."""
    answers = await asyncio.gather(
        publisher.publish(SMALL, "job/0", cid=SMALL_CID),
        publisher.publish(SMALL, "job/1", cid=OTHER_CID),
        publisher.publish(OTHER, "job/2", cid=OTHER_CID),
        return_exceptions=True,
    )
    assert isinstance(answers[1], PublishError)
    seen = [place.seen_cid(f"job/{index}") for index in range(3)]
    assert seen == [SMALL_CID, None, OTHER_CID]


async def test_a_repeat_changes_nothing(publisher: Publisher, folder: Path) -> None:
    """Publishing again gives the same location."""
    cid = tree_cid(folder).cid
    first = await publisher.publish(folder, KEY, cid=cid)
    assert await publisher.publish(folder, KEY, cid=cid) == first
    await publisher.verify(first)


async def test_a_repeat_by_another_node_gives_the_same_location(
    driver: str, publisher: Publisher, place: Place, tmp_path: Path
) -> None:
    """The key names the slot, not the node, and a folder or memory make no difference."""
    SMALL.write_to(tmp_path / "small")
    first = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    other = open_publisher(driver, place.target, {}, Workplace(Path(place.target)))
    assert await other.publish(tmp_path / "small", KEY, cid=SMALL_CID) == first
    await other.verify(first)
    await other.close()


async def test_nodes_that_race_with_the_same_result_all_succeed(
    driver: str, place: Place, folder: Path
) -> None:
    """Of several nodes that publish one result at one time each is told the same location."""
    cid = tree_cid(folder).cid
    nodes = [
        open_publisher(driver, place.target, {}, Workplace(Path(place.target))) for _ in range(4)
    ]
    locations = await asyncio.gather(*(node.publish(folder, KEY, cid=cid) for node in nodes))
    await nodes[0].verify(locations[0])
    await asyncio.gather(*(node.close() for node in nodes))
    assert len(set(locations)) == 1
    assert place.leftovers() == []


async def test_nodes_that_race_with_different_results_have_one_winner(
    driver: str, place: Place
) -> None:
    """One result is at the key in the end, and the other node is told that it is not its own."""
    nodes = [
        open_publisher(driver, place.target, {}, Workplace(Path(place.target))) for _ in range(2)
    ]
    answers = await asyncio.gather(
        nodes[0].publish(SMALL, KEY, cid=SMALL_CID),
        nodes[1].publish(OTHER, KEY, cid=OTHER_CID),
        return_exceptions=True,
    )
    await asyncio.gather(*(node.close() for node in nodes))
    (winner,) = [answer for answer in answers if isinstance(answer, Location)]
    (loser,) = [answer for answer in answers if isinstance(answer, PublishError)]
    assert place.seen_cid(KEY) == winner.cid
    assert loser.permanent


async def test_another_result_at_the_key_is_a_conflict(publisher: Publisher, place: Place) -> None:
    """What is published is not replaced by something else unless that is asked for."""
    await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    with pytest.raises(PublishError, match="already holds") as caught:
        await publisher.publish(OTHER, KEY, cid=OTHER_CID)
    assert caught.value.permanent
    assert place.seen_cid(KEY) == SMALL_CID


async def test_another_result_gives_way_when_it_was_never_accepted(
    publisher: Publisher, place: Place
) -> None:
    """With `replace` the key holds the new result, whole, and a repeat changes nothing."""
    await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    for _ in range(2):
        await publisher.publish(OTHER, KEY, cid=OTHER_CID, replace=True)
        assert place.seen_cid(KEY) == OTHER_CID


async def test_a_result_without_the_claimed_cid_is_not_published(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """A result that is not what the node claimed leaves the key free for one that is."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(folder, KEY, cid=SMALL_CID)
    assert caught.value.permanent
    assert place.seen_cid(KEY) is None
    await publisher.publish(SMALL, KEY, cid=SMALL_CID)


async def test_a_result_with_a_symlink_is_not_published(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """What has no content address is refused by name, and nothing of it is published."""
    cid = tree_cid(folder).cid
    (folder / "outputs" / "link").symlink_to("/etc")
    with pytest.raises(PublishError, match="symlink") as caught:
        await publisher.publish(folder, KEY, cid=cid)
    assert caught.value.permanent
    assert place.seen_cid(KEY) is None


async def test_a_result_that_is_gone_is_an_error(publisher: Publisher, tmp_path: Path) -> None:
    """A folder that was removed cannot be published by a repeat of the same node."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(tmp_path / "gone", KEY, cid=SMALL_CID)
    assert caught.value.permanent


@pytest.mark.parametrize(
    "key",
    ["", "job", "job/", "/0", "job/x", "job/00", "../0", "a/b/0", "job/0\n", "job/-1", ".a/0"],
)
async def test_a_key_is_a_job_and_a_shard(publisher: Publisher, key: str) -> None:
    """A key that is anything else is refused before it becomes a path or a URL."""
    with pytest.raises(PublishError, match="no upload key"):
        await publisher.publish(SMALL, key, cid=SMALL_CID)


async def test_verify_finds_a_changed_byte(publisher: Publisher, place: Place) -> None:
    """A published result that is no longer its CID does not verify."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    place.tamper(KEY)
    with pytest.raises(PublishError):
        await publisher.verify(location)


async def test_verify_finds_a_missing_result(publisher: Publisher, place: Place) -> None:
    """A published result that is gone does not verify, and can be published again."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    place.remove(KEY)
    with pytest.raises(PublishError):
        await publisher.verify(location)
    assert await publisher.publish(SMALL, KEY, cid=SMALL_CID) == location
    await publisher.verify(location)


async def test_each_file_can_be_fetched_alone(publisher: Publisher, folder: Path) -> None:
    """One file is streamed without the rest of the result, whatever its size and name."""
    location = await publisher.publish(folder, KEY, cid=tree_cid(folder).cid)
    for path in ("stdout", "stderr", "exit_code", "outputs/.hidden", "outputs/a b/ünï.bin"):
        assert await fetched(publisher, location, path) == (folder / path).read_bytes()


async def test_a_reader_may_stop_in_the_middle(publisher: Publisher, folder: Path) -> None:
    """A stream that is given up early leaves nothing open."""
    location = await publisher.publish(folder, KEY, cid=tree_cid(folder).cid)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    copy = publisher.copy(location)
    stream = reading.fetch(copy, location.cid, "outputs/a b/ünï.bin")
    first = await anext(stream)
    assert (folder / "outputs/a b/ünï.bin").read_bytes().startswith(first)
    await stream.aclose()
    await copy.close()
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before


@pytest.mark.parametrize(
    "path",
    ["nothing", "outputs", "outputs/nothing", "stdout/x", "", "/", "/etc/passwd", "../0/stdout",
     "outputs/../stdout", "./stdout", "outputs//x", "std\0out"],
)  # fmt: skip
async def test_fetching_what_is_no_file_of_the_result_is_not_found(
    publisher: Publisher, path: str
) -> None:
    """Missing files, folders and ways out of the result are not found."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    with pytest.raises(NotFound):
        await fetched(publisher, location, path)


async def test_fetching_from_a_missing_result_is_an_error(
    publisher: Publisher, place: Place
) -> None:
    """A result that is gone is the publisher's failure, not a wrong path."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    place.remove(KEY)
    with pytest.raises(PublishError):
        await fetched(publisher, location, "stdout")


@pytest.mark.parametrize("uri", ["file:///etc", "nonsense", ""])
async def test_a_location_from_elsewhere_is_refused(publisher: Publisher, uri: str) -> None:
    """A URI that this publisher did not give is not followed: anyone can write to the log."""
    elsewhere = Location(uri, SMALL_CID, 1)
    with pytest.raises(PublishError):
        await publisher.verify(elsewhere)
    with pytest.raises(PublishError):
        await fetched(publisher, elsewhere, "passwd")


async def test_nothing_but_results_is_left_behind(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """After success and failure alike, a closed publisher leaves results and nothing else."""
    await publisher.publish(SMALL, "job/0", cid=SMALL_CID)
    for result in (OTHER, folder):
        with pytest.raises(PublishError):
            await publisher.publish(result, "job/1", cid=SMALL_CID)
    await publisher.close()
    await publisher.close()
    assert place.leftovers() == []


async def test_a_crash_at_any_step_is_mended_by_a_repeat(driver: str, tmp_path: Path) -> None:
    """Killed at each of its steps, a publication is absent or whole, and a repeat completes it."""
    result = tmp_path / "result"
    SMALL.write_to(result)
    (result / "outputs" / "folder").mkdir()
    (result / "outputs" / "folder" / "file").write_bytes(b"x")
    cid = tree_cid(result).cid
    program = [sys.executable, "-m", "tests.contracts.crash_at_step"]
    crashes = subprocess.run(
        [*program, driver, str(tmp_path / "places"), str(result), cid],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        timeout=60,
    )
    steps = int(crashes.stdout)
    assert steps > 20
    for step in range(steps + 1):
        place = PLACES[driver](tmp_path / "places" / str(step))
        assert place.seen_cid(KEY) in {None, cid}
        publisher = open_publisher(driver, place.target, {}, Workplace(Path(place.target)))
        location = await publisher.publish(result, KEY, cid=cid)
        await publisher.verify(location)
        await publisher.close()
        assert place.leftovers() == []
