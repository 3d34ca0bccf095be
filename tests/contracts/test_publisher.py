"""What every publisher must do, run on every driver that is registered."""

import asyncio
import os
from pathlib import Path

import pytest

from events.errors import LotaError, NotFound, PublishError
from events.spec import PUBLISHERS
from publishers import names, open_publisher, reading
from publishers.port import Location, Publisher, SmallResult
from publishers.unixfs import result_cid, tree_cid
from tests.contracts.places import BY_CLIENT, KEYED, LOCKED, PLACES, SERVED, Place
from tests.contracts.publishing import (
    KEY,
    ODD_NAMES,
    OTHER,
    OTHER_CID,
    SMALL,
    SMALL_CID,
    fetched,
    open_elsewhere,
)

LONG_FILE = "outputs/a b/deep/ünï.bin"


def test_every_driver_is_held_to_this_suite() -> None:
    """A driver that is registered has a place to be tried on."""
    assert set(names()) <= set(PLACES)
    assert set(names()) == set(PUBLISHERS)


async def test_what_can_go_wrong_at_a_place_is_tried(place: Place) -> None:
    """A place with a service, a lock or the node's connection is among those tried for that."""
    assert (place.port is not None) == (place.driver in SERVED)
    assert (place.refused is not None) == (place.driver in LOCKED)
    assert (place.workplace.client is not None) == (place.driver in BY_CLIENT)


async def test_a_usable_place_passes_the_check(publisher: Publisher, place: Place) -> None:
    """`check` says nothing when the place can be used, however often, and leaves nothing."""
    await publisher.check()
    await publisher.check()
    await publisher.close()
    assert await place.leftovers() == []


async def test_a_folder_is_published_whole(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """All of a result, odd names and empty folders included, is at the key under its CID."""
    tree = tree_cid(folder)
    location = await publisher.publish(folder, KEY, cid=tree.cid)
    assert (location.cid, location.size_bytes) == (tree.cid, tree.dag_size_bytes)
    assert await place.seen_cid(KEY, tree.cid) == tree.cid
    await publisher.verify(location)


async def test_a_small_result_is_the_tree_that_its_cid_names(
    publisher: Publisher, place: Place
) -> None:
    """A result from memory is published as the tree that it stands for."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    assert (location.cid, location.size_bytes) == result_cid(b"hello\n", b"", 0)
    assert await place.seen_cid(KEY, SMALL_CID) == SMALL_CID
    await publisher.verify(location)


async def test_a_folder_too_large_for_one_block_is_published(
    publisher: Publisher, tmp_path: Path
) -> None:
    """A folder whose names take more than 256 KiB is there with all of them."""
    result = tmp_path / "result"
    SMALL.write_to(result)
    names = [f"{index:04} is a long name{' indeed' * 20}" for index in range(2_000)]
    for index, name in enumerate(names):
        (result / "outputs" / name).write_bytes(b"%d" % (index % 7))
    cid = tree_cid(result).cid
    location = await publisher.publish(result, KEY, cid=cid)
    assert await fetched(publisher, location, f"outputs/{names[1234]}") == b"2"
    copy = publisher.copy(location)
    listed = [entry async for entry in reading.entries(copy, cid, "outputs")]
    await copy.close()
    assert [entry.path for entry in listed] == [f"outputs/{name}" for name in names]


async def test_many_results_at_once_all_arrive(publisher: Publisher, place: Place) -> None:
    """Results published in one breath are each at their own key."""
    count = 300 if place.port is None and not publisher.paid else 12
    results = [SmallResult(b"%d" % index, b"", 0) for index in range(count)]
    cids = [result_cid(result.stdout, b"", 0).cid for result in results]
    keys = [f"job/{index}" for index in range(count)]
    locations = await asyncio.gather(
        *(
            publisher.publish(result, key, cid=cid)
            for result, key, cid in zip(results, keys, cids, strict=True)
        )
    )
    assert [location.cid for location in locations] == cids
    seen = [await place.seen_cid(key, cid) for key, cid in zip(keys, cids, strict=True)]
    assert seen == cids


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
    assert [isinstance(answer, PublishError) for answer in answers] == [False, True, False]
    assert await place.seen_cid("job/2", OTHER_CID) == OTHER_CID


async def test_a_repeat_changes_nothing(publisher: Publisher, place: Place, folder: Path) -> None:
    """Publishing again answers as the first time, whoever does it."""
    cid = tree_cid(folder).cid
    first = await publisher.publish(folder, KEY, cid=cid)
    assert await publisher.publish(folder, KEY, cid=cid) == first
    assert await publisher.publish(folder, KEY, cid=cid, replace=True) == first
    assert await place.seen_cid(KEY, cid) == cid


async def test_another_node_finds_what_is_published(
    publisher: Publisher, place: Place, tmp_path: Path
) -> None:
    """A node that takes over comes to the same location; where that costs money, by asking."""
    first = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    other = open_elsewhere(place, tmp_path / "other")
    if publisher.paid:
        found = await other.lookup(KEY, cid=SMALL_CID)  # type: ignore[attr-defined]
        assert (found.uri, found.cid) == (first.uri, first.cid)
    else:
        assert await other.publish(SMALL, KEY, cid=SMALL_CID) == first
    await other.verify(first)
    assert await fetched(other, first, "stdout") == b"hello\n"
    await other.close()


async def test_nodes_that_race_with_the_same_result_all_succeed(
    publisher: Publisher, place: Place, folder: Path, tmp_path: Path
) -> None:
    """Of several nodes that publish one result at one time each is told the same location."""
    if publisher.paid:
        pytest.skip("where it costs money, rule 6 lets one node at a time begin")
    cid = tree_cid(folder).cid
    nodes = [open_elsewhere(place, tmp_path / f"node-{number}") for number in range(4)]
    locations = await asyncio.gather(*(node.publish(folder, KEY, cid=cid) for node in nodes))
    await nodes[0].verify(locations[0])
    await asyncio.gather(*(node.close() for node in nodes))
    assert len(set(locations)) == 1
    assert await place.leftovers() == []


@pytest.mark.parametrize("place", KEYED, indirect=True)
async def test_nodes_that_race_with_different_results_have_one_winner(
    place: Place, tmp_path: Path
) -> None:
    """Where a key holds one result, the other node is told that it is not its own."""
    nodes = [open_elsewhere(place, tmp_path / f"node-{number}") for number in range(2)]
    answers = await asyncio.gather(
        nodes[0].publish(SMALL, KEY, cid=SMALL_CID),
        nodes[1].publish(OTHER, KEY, cid=OTHER_CID),
        return_exceptions=True,
    )
    await asyncio.gather(*(node.close() for node in nodes))
    (winner,) = [answer for answer in answers if isinstance(answer, Location)]
    (loser,) = [answer for answer in answers if isinstance(answer, PublishError)]
    assert await place.seen_cid(KEY, winner.cid) == winner.cid
    assert loser.permanent


async def test_another_result_at_the_key_stands_beside_or_conflicts(
    publisher: Publisher, place: Place
) -> None:
    """What is published is not replaced by something else unless that is asked for."""
    first = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    if place.driver in KEYED:
        with pytest.raises(PublishError, match="already holds") as caught:
            await publisher.publish(OTHER, KEY, cid=OTHER_CID)
        assert caught.value.permanent
    else:
        await publisher.verify(await publisher.publish(OTHER, KEY, cid=OTHER_CID))
    assert await place.seen_cid(KEY, SMALL_CID) == SMALL_CID
    await publisher.verify(first)


async def test_another_result_gives_way_when_it_was_never_accepted(
    publisher: Publisher, place: Place
) -> None:
    """With `replace` the new result is there, whole, and a repeat changes nothing."""
    await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    for _ in range(2):
        location = await publisher.publish(OTHER, KEY, cid=OTHER_CID, replace=True)
        assert await place.seen_cid(KEY, OTHER_CID) == OTHER_CID
        await publisher.verify(location)


async def test_a_result_without_the_claimed_cid_is_not_published(
    publisher: Publisher, place: Place, folder: Path
) -> None:
    """A result that is not what the node claimed leaves the key free for one that is."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(folder, KEY, cid=SMALL_CID)
    assert caught.value.permanent
    assert await place.seen_cid(KEY, SMALL_CID) is None
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
    assert await place.seen_cid(KEY, cid) is None


async def test_a_result_that_is_gone_is_an_error(
    publisher: Publisher, place: Place, tmp_path: Path
) -> None:
    """A folder that was removed cannot be published by a repeat of the same node."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(tmp_path / "gone", KEY, cid=SMALL_CID)
    assert caught.value.permanent
    assert await place.seen_cid(KEY, SMALL_CID) is None


async def test_a_key_is_a_job_and_a_shard(publisher: Publisher) -> None:
    """A key that is anything else is refused before it becomes a path or a URL."""
    for key in ("", "job", "job/", "/0", "job/x", "job/00", "../0", "a/b/0", "job/0\n", ".a/0"):
        with pytest.raises(PublishError, match="no upload key"):
            await publisher.publish(SMALL, key, cid=SMALL_CID)


async def test_a_changed_byte_is_found(publisher: Publisher, place: Place) -> None:
    """A published result that is no longer its CID neither verifies nor passes for it."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    await place.tamper(KEY, SMALL_CID)
    with pytest.raises(PublishError):
        await publisher.verify(location)
    with pytest.raises(LotaError):
        await fetched(publisher, location, "stdout")


async def test_a_missing_result_is_found(publisher: Publisher, place: Place) -> None:
    """A published result that is gone does not verify, cannot be read, and can be published."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    await place.remove(KEY, SMALL_CID)
    with pytest.raises(PublishError):
        await publisher.verify(location)
    with pytest.raises(LotaError):
        await fetched(publisher, location, "stdout")
    if not publisher.paid:
        assert await publisher.publish(SMALL, KEY, cid=SMALL_CID) == location
        await publisher.verify(location)


async def test_each_file_can_be_fetched_alone(publisher: Publisher, folder: Path) -> None:
    """One file is streamed without the rest of the result, whatever its size and name."""
    location = await publisher.publish(folder, KEY, cid=tree_cid(folder).cid)
    paths = ["stdout", "stderr", "exit_code", "outputs/nothing", LONG_FILE]
    paths += [f"outputs/odd/{os.fsdecode(name)}" for name in ODD_NAMES]
    for path in paths:
        assert await fetched(publisher, location, path) == (folder / path).read_bytes()


async def test_a_range_can_be_fetched_alone(publisher: Publisher, folder: Path) -> None:
    """Of a long file just the bytes asked for are streamed, and nothing from behind its end."""
    location = await publisher.publish(folder, KEY, cid=tree_cid(folder).cid)
    whole = (folder / LONG_FILE).read_bytes()
    spans = [(0, 1), (1_048_570, 20), (2_500_000, 10_000_000), (len(whole), 5), (7, 0)]
    for offset, size_bytes in spans:
        part = await fetched(publisher, location, LONG_FILE, offset=offset, size_bytes=size_bytes)
        assert part == whole[offset : offset + size_bytes], (offset, size_bytes)


async def test_a_reader_may_stop_in_the_middle(publisher: Publisher, folder: Path) -> None:
    """A stream that is given up early leaves the publisher as it was."""
    location = await publisher.publish(folder, KEY, cid=tree_cid(folder).cid)
    copy = publisher.copy(location)
    stream = reading.fetch(copy, location.cid, LONG_FILE)
    first = await anext(stream)
    assert (folder / LONG_FILE).read_bytes().startswith(first)
    await stream.aclose()
    await copy.close()
    await copy.close()
    assert await fetched(publisher, location, "stdout") == b"out\n"


async def test_what_is_no_file_of_the_result_is_not_found(publisher: Publisher) -> None:
    """Missing files, folders and ways out of the result are not found."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    for path in (
        "nothing", "outputs", "outputs/nothing", "stdout/x", "", "/", "/etc/passwd",
        "../0/stdout", "outputs/../stdout", "./stdout", "outputs//x", "std\0out",
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await fetched(publisher, location, path)


async def test_a_location_from_elsewhere_is_refused(publisher: Publisher) -> None:
    """A URI that this publisher did not give is not followed: anyone can write to the log."""
    own = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    uris = ["file:///etc", "nonsense", "", f"{own.uri}/../1", f"{own.uri}/", f"x{own.uri}"]
    for uri in uris:
        elsewhere = Location(uri, SMALL_CID, own.size_bytes)
        with pytest.raises(PublishError):
            await publisher.verify(elsewhere)
        with pytest.raises(PublishError):
            await fetched(publisher, elsewhere, "stdout")


async def test_another_cid_at_the_location_is_found(publisher: Publisher) -> None:
    """A location that claims another CID than what is there does not verify."""
    own = await publisher.publish(SMALL, KEY, cid=SMALL_CID)
    with pytest.raises(PublishError):
        await publisher.verify(Location(own.uri, OTHER_CID, own.size_bytes))


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
    assert await place.leftovers() == []


async def test_a_target_is_text_that_is_checked(place: Place) -> None:
    """A target that the driver cannot use is refused when it is opened, before anything is sent."""
    for target in ("../..", "a\nb", "http://user:password@host/x", "\0"):
        with pytest.raises(PublishError) as caught:
            open_publisher(place.driver, target, place.credential, place.workplace)
        assert caught.value.permanent
