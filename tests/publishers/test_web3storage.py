"""The driver `web3storage`: the requests of the service's own client, and its patience."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from events.car import car, section
from events.cid import cid_bytes, raw_cid_bytes
from events.errors import PublishError
from events.unixfs import job_root
from publishers.port import Location, SmallResult, Workplace
from publishers.rate_limit import RateLimit
from publishers.root_car import EMPTY_FOLDER
from publishers.unixfs import result_cid, tree_cid
from publishers.web3storage import Web3StoragePublisher
from tests.golden.unixfs import GoldenTree, golden_trees
from tests.servers.web3_storage import BLOCKED_TOKEN, OTHER_TOKEN, TOKEN, Web3Storage

KEY = "job/0"
SMALL = SmallResult(b"hello\n", b"", 0)
SMALL_ROOT = result_cid(b"hello\n", b"", 0)
LEAF = (raw_cid_bytes(b"x"), b"x")
TREES = {tree.name: tree for tree in golden_trees()}


def golden_pieces() -> list[tuple[GoldenTree, int, set[tuple[int, str]]]]:
    """Return what the JavaScript client has sent: per tree and piece size, (length, sha256)."""
    file = Path(__file__).parents[1] / "golden" / "unixfs-golden.json"
    trees: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["trees"]
    return [
        (TREES[tree["name"]], int(size), {(piece["bytes"], piece["sha256"]) for piece in pieces})
        for tree in trees
        for size, pieces in tree.get("car_pieces", {}).items()
    ]


@pytest.fixture
def server() -> Iterator[Web3Storage]:
    with Web3Storage() as opened:
        yield opened


def opened(server: Web3Storage, folder: Path, **fields: str) -> Web3StoragePublisher:
    """Return a driver that does not wait between tries, with its own limit."""
    credential = {"url": server.url, "token": TOKEN, "gateway": server.url, **fields}
    limit = RateLimit(1000, 1.0)
    workplace = Workplace(folder)
    return Web3StoragePublisher("", credential, workplace, limit=limit, first_pause_s=0.0)


@pytest.fixture
async def publisher(server: Web3Storage, tmp_path: Path) -> AsyncIterator[Web3StoragePublisher]:
    driver = opened(server, tmp_path)
    yield driver
    await driver.close()


@pytest.mark.parametrize(("tree", "piece_bytes", "pieces"), golden_pieces())
async def test_pieces_are_those_of_the_javascript_client(
    server: Web3Storage,
    tmp_path: Path,
    tree: GoldenTree,
    piece_bytes: int,
    pieces: set[tuple[int, str]],
) -> None:
    """What arrives at the service is, byte for byte, what its own client sent for the tree."""
    folder = tmp_path / "tree"
    folder.mkdir()
    tree.write_to(folder)
    driver = Web3StoragePublisher(
        "", {"url": server.url, "token": TOKEN}, Workplace(tmp_path), piece_bytes=piece_bytes
    )
    location = await driver.publish(folder, KEY, cid=tree.cid)
    assert location == Location(f"ipfs://{tree.cid}", tree.cid, tree.dag_size_bytes)
    await driver.verify(location)
    await driver.close()
    # The fixture has one of several pieces of equal length; the client itself sent all of ours.
    assert {(arrival.size_bytes, arrival.sha256) for arrival in server.arrivals} >= pieces
    assert {arrival.name for arrival in server.arrivals} == {KEY}
    assert server.complete(cid_bytes(tree.cid))


async def test_three_pieces_are_under_way(server: Web3Storage, tmp_path: Path) -> None:
    """Pieces are sent at the same time, and never more than three."""
    folder = tmp_path / "result"
    SMALL.write_to(folder)
    (folder / "outputs" / "big").write_bytes(bytes(range(256)) * (40 << 10))
    driver = Web3StoragePublisher(
        "", {"url": server.url, "token": TOKEN}, Workplace(tmp_path), piece_bytes=1 << 20
    )
    with pytest.raises(PublishError, match="has the CID"):
        await driver.publish(folder, KEY, cid=SMALL_ROOT.cid)
    assert server.most_in_flight == 0
    await driver.publish(folder, KEY, cid=tree_cid(folder).cid)
    await driver.close()
    assert len(server.arrivals) >= 10
    assert server.most_in_flight in {2, 3}


async def test_passing_failures_are_tried_again(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """Five failures that may pass are overcome by the sixth try."""
    server.failures = [500, 429, 502, 503, 429]
    location = await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    assert [arrival.status for arrival in server.arrivals] == [500, 429, 502, 503, 429, 200]
    await publisher.verify(location)


async def test_the_sixth_failure_is_the_last(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """A service that goes on failing is left to the retries of the publication, later."""
    server.failures = [500] * 7
    with pytest.raises(PublishError) as caught:
        await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    assert (caught.value.code, caught.value.permanent) == ("unavailable", False)
    assert len(server.arrivals) == 6


@pytest.mark.parametrize(
    ("failure", "token", "code"),
    [
        (400, TOKEN, "rejected"),
        (401, "eyJunknown", "refused"),
        (401, "no-jwt", "refused"),
        (403, BLOCKED_TOKEN, "refused"),
        (403, TOKEN, "refused"),
        (410, TOKEN, "gone"),
        (413, TOKEN, "too-large"),
    ],
)
async def test_what_cannot_pass_is_not_tried_again(
    server: Web3Storage, tmp_path: Path, failure: int, token: str, code: str
) -> None:
    """A refusal is final at the first word, and tells no token."""
    server.failures = [failure]
    driver = opened(server, tmp_path, token=token)
    with pytest.raises(PublishError) as caught:
        await driver.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    await driver.close()
    assert (caught.value.code, caught.value.permanent) == (code, True)
    assert [arrival.status for arrival in server.arrivals] == [failure]
    assert token not in str(caught.value)


async def test_a_service_that_has_closed_names_its_successors(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """Where uploads have ended, checking and publishing say what to use instead."""
    server.sunset = True
    for attempt in (publisher.check(), publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)):
        with pytest.raises(PublishError, match=r"'ipfs'.*'s3'") as caught:
            await attempt
        assert "sunset" in str(caught.value)


async def test_another_root_is_no_success(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """A service that names another root than ours has not published the result."""
    server.other_root = EMPTY_FOLDER.cid
    with pytest.raises(PublishError) as caught:
        await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    assert (caught.value.code, caught.value.permanent) == ("wrong-root", True)


async def test_the_name_may_hold_anything(server: Web3Storage) -> None:
    """An upload's name arrives as it was given, percent-encoded on the way."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {"Authorization": f"Bearer {TOKEN}", "X-Name": "job%2F0%20%C3%BC"}
        await client.post("/car", content=EMPTY_FOLDER.car, headers=headers)
    assert server.arrivals[0].name == "job/0 ü"


async def test_an_upload_that_lacks_a_piece_does_not_verify(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """As long as the service has not put an upload together it is not there."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    del server.blocks[raw_cid_bytes(b"hello\n")]
    with pytest.raises(PublishError) as caught:
        await publisher.verify(location)
    assert (caught.value.code, caught.value.permanent) == ("incomplete", False)


async def test_an_upload_of_another_account_does_not_verify(
    server: Web3Storage, publisher: Web3StoragePublisher, tmp_path: Path
) -> None:
    """What somebody else has uploaded may vanish with their account."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    other = opened(server, tmp_path, token=OTHER_TOKEN)
    with pytest.raises(PublishError) as caught:
        await other.verify(location)
    await other.close()
    assert caught.value.code == "missing"


async def test_without_a_gateway_the_service_is_taken_at_its_word(
    server: Web3Storage, tmp_path: Path
) -> None:
    """An upload can be verified without a gateway, and read back only with one."""
    driver = opened(server, tmp_path, gateway="")
    location = await driver.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    await driver.verify(location)
    with pytest.raises(PublishError, match="'gateway'"):
        driver.copy(location)
    await driver.close()


async def test_a_root_is_sent_without_its_shards(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """A root in one block, whose shards lie elsewhere, passes the check for a second block."""
    blocks: list[tuple[bytes, bytes]] = []
    root = job_root([SMALL_ROOT], lambda cid, block: blocks.append((cid, bytes(block))))
    data = car(cid_bytes(root.cid), blocks)
    location = await publisher.publish_root(data, cid=root.cid)
    assert location == Location(f"ipfs://{root.cid}", *root)
    assert await publisher.publish_root(data, cid=root.cid) == location
    assert blocks[0][0] in server.blocks
    assert [arrival.status for arrival in server.arrivals] == [200, 200]


async def test_a_root_of_many_shards_is_sent_as_it_is(
    server: Web3Storage, publisher: Web3StoragePublisher
) -> None:
    """A root of many blocks goes as the one CAR that it was given as."""
    blocks: list[tuple[bytes, bytes]] = []
    root = job_root([SMALL_ROOT] * 6000, lambda cid, block: blocks.append((cid, bytes(block))))
    data = car(cid_bytes(root.cid), reversed(blocks))
    await publisher.publish_root(data, cid=root.cid)
    assert server.arrivals[0].size_bytes == len(data)
    assert len(blocks) > 1


@pytest.mark.parametrize(
    ("target", "credential", "code"),
    [
        ("", {}, "credential"),
        ("", {"url": "http://host"}, "credential"),
        ("", {"token": "x", "url": "nowhere"}, "credential"),
        ("", {"token": "x", "gateway": "nowhere"}, "credential"),
        ("somewhere", {"token": "x"}, "bad-target"),
    ],
)
def test_what_cannot_be_opened_is_refused(
    tmp_path: Path, target: str, credential: dict[str, str], code: str
) -> None:
    """A bad target or credential is refused before anything is asked."""
    with pytest.raises(PublishError) as caught:
        Web3StoragePublisher(target, credential, Workplace(tmp_path))
    assert (caught.value.code, caught.value.permanent) == (code, True)


ROOT = cid_bytes(EMPTY_FOLDER.cid)
BIG = bytes((1 << 21) + 1)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "Invalid CAR"),
        (b"no CAR at all", "Invalid CAR"),
        (EMPTY_FOLDER.car[:-1], "Unexpected end of data"),
        (car(ROOT, []), "empty CAR"),
        (car(ROOT, [LEAF]), "missing root block"),
        (EMPTY_FOLDER.car + section(raw_cid_bytes(b"x"), b"y"), "hash mismatch"),
        (EMPTY_FOLDER.car + section(raw_cid_bytes(BIG), BIG), "block too big"),
    ],
    ids=["nothing", "text", "cut", "no block", "no root", "false block", "large block"],
)
async def test_the_played_service_checks_what_the_real_one_did(
    server: Web3Storage, body: bytes, why: str
) -> None:
    """A CAR that the service would not have taken is not taken here."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = await client.post("/car", content=body, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["code"] == "ERROR_INVALID_CAR"
    assert why in answer.json()["message"]
    assert not server.blocks


async def test_the_played_service_wants_company_for_a_root(server: Web3Storage) -> None:
    """A root that has links and comes alone is refused, as by the real service."""
    blocks: list[tuple[bytes, bytes]] = []
    root = job_root([SMALL_ROOT], lambda cid, block: blocks.append((cid, bytes(block))))
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        body = car(cid_bytes(root.cid), blocks)
        answer = await client.post("/car", content=body, headers=headers)
    assert "at least one non-root block" in answer.json()["message"]


async def test_the_played_service_limits_its_tokens(server: Web3Storage) -> None:
    """The 31st request in a window blocks its token, and no other."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        for expected in [200] * 30 + [429] * 2:
            answer = await client.get("/user/uploads", headers={"Authorization": f"Bearer {TOKEN}"})
            assert answer.status_code == expected
        other = {"Authorization": f"Bearer {OTHER_TOKEN}"}
        assert (await client.get("/user/uploads", headers=other)).status_code == 200
