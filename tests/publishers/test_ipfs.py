"""The driver `ipfs` where the suite for all drivers does not look: Kubo's failures, and roots."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from events.car import car
from events.cid import cid_bytes
from events.errors import PublishError
from events.unixfs import job_root
from publishers import reading
from publishers.ipfs import IpfsPublisher
from publishers.port import Location, SmallResult, Workplace
from publishers.root_car import EMPTY_FOLDER
from publishers.unixfs import result_cid
from tests.contracts.places.ipfs import IpfsPlace
from tests.golden.unixfs import golden_trees
from tests.servers.kubo_shapes import KuboShapes
from tests.servers.web3_storage import Web3Storage, parsed

KEY = "job/0"
SMALL = SmallResult(b"hello\n", b"", 0)
SMALL_ROOT = result_cid(b"hello\n", b"", 0)
OTHER = SmallResult(b"other\n", b"", 1)
OTHER_ROOT = result_cid(b"other\n", b"", 1)
SECRET = "s3cr3t-t0ken"


@pytest.fixture
async def server() -> AsyncIterator[KuboShapes]:
    async with KuboShapes() as opened:
        yield opened


@pytest.fixture
async def publisher(server: KuboShapes, tmp_path: Path) -> AsyncIterator[IpfsPublisher]:
    credential = {"url": server.url, "token": SECRET}
    opened = IpfsPublisher("", credential, Workplace(tmp_path))
    yield opened
    await opened.close()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[IpfsPlace]:
    async with IpfsPlace(tmp_path / "place") as opened:
        yield opened


@pytest.fixture
async def node(place: IpfsPlace) -> AsyncIterator[IpfsPublisher]:
    opened = IpfsPublisher("", place.credential, place.workplace)
    yield opened
    await opened.close()


def root_of(*shards: Location) -> tuple[str, bytes]:
    """Return the CID of the folder over published shards, and its CAR."""
    blocks: list[tuple[bytes, bytes]] = []
    root = job_root(
        [(shard.cid, shard.size_bytes) for shard in shards],
        lambda cid, block: blocks.append((cid, bytes(block))),
    )
    return root.cid, car(cid_bytes(root.cid), reversed(blocks))


@pytest.mark.parametrize(
    ("shape", "code", "permanent"),
    [
        ("pin-error", "not-pinned", False),
        ("other-root", "wrong-root", True),
        ("no-root", "broken-off", False),
        ("trailer", "broken-off", False),
        ("error-in-200", "unavailable", False),
        ("error", "unavailable", False),
        ("denied", "refused", True),
        ("echoes-token", "refused", True),
        ("garbage", "bad-answer", False),
        ("fine", "broken-off", False),
        ("cut", "broken-off", False),
        ("413", "too-large", True),
    ],
)
async def test_only_our_root_pinned_is_success(
    server: KuboShapes, publisher: IpfsPublisher, shape: str, code: str, permanent: bool
) -> None:
    """Whatever a node answers, nothing but the line of our root without an error is published."""
    server.shape = shape
    for attempt in (publisher.check(), publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)):
        with pytest.raises(PublishError) as caught:
            await attempt
        assert (caught.value.code, caught.value.permanent) == (code, permanent)
        assert SECRET not in str(caught.value)


async def test_the_cause_is_told(server: KuboShapes, publisher: IpfsPublisher) -> None:
    """The node's own words about the pin are in the error."""
    server.shape = "pin-error"
    with pytest.raises(PublishError, match="block was not found locally"):
        await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)


async def test_a_result_is_one_request(server: KuboShapes, publisher: IpfsPublisher) -> None:
    """A result is sent as one part that is its CAR, with a length, to be pinned under its root."""
    location = await publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid)
    assert location == Location(f"ipfs://{SMALL_ROOT.cid}", *SMALL_ROOT)
    (request,) = server.seen
    target = urlsplit(request.target)
    assert target.path == "/api/v0/dag/import"
    asked = {"pin-roots": ["true"], "stats": ["true"], "cid-base": ["base32"]}
    assert parse_qs(target.query) == asked
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    head, _, rest = request.body.partition(b"\r\n\r\n")
    part, end, behind = rest.rpartition(b"\r\n--" + boundary + b"--\r\n")
    assert head.startswith(b"--" + boundary)
    assert b'name="file"' in head
    assert end
    assert not behind
    roots, blocks = parsed(part)
    assert roots == [cid_bytes(SMALL_ROOT.cid)]
    assert len(part) < 1000
    assert sum(len(block) for _, block in blocks) == SMALL_ROOT.dag_size_bytes


async def test_no_result_can_guess_the_frame(server: KuboShapes, publisher: IpfsPublisher) -> None:
    """The boundary of the part is another one each time, so that no file can hold it."""
    await publisher.check()
    await publisher.check()
    first, second = (request.headers["content-type"] for request in server.seen)
    assert first != second


async def test_a_base_url_may_have_a_path(tmp_path: Path, server: KuboShapes) -> None:
    """A service behind a path of its own is asked below it, and without a token sends none."""
    credential = {"url": f"{server.url}/ipfs-rpc/"}
    publisher = IpfsPublisher("", credential, Workplace(tmp_path))
    await publisher.check()
    await publisher.close()
    assert server.seen[0].target.startswith("/ipfs-rpc/api/v0/dag/import?")
    assert "authorization" not in server.seen[0].headers


async def test_a_slow_node_is_waited_for(server: KuboShapes, publisher: IpfsPublisher) -> None:
    """A node that pins for a while before it answers has published in the end."""
    server.held.clear()
    publication = asyncio.create_task(publisher.publish(SMALL, KEY, cid=SMALL_ROOT.cid))
    await server.arrived.wait()
    assert not publication.done()
    server.held.set()
    assert (await publication).cid == SMALL_ROOT.cid


async def test_an_upload_that_breaks_off_can_be_repeated(
    server: KuboShapes, publisher: IpfsPublisher, tmp_path: Path
) -> None:
    """A connection that is cut within the CAR is an error, and the repeat sends all of it."""
    tree = next(tree for tree in golden_trees() if tree.name == "one-chunk-edge")
    folder = tmp_path / "tree"
    folder.mkdir()
    tree.write_to(folder)
    server.breaks_at = 2 << 20
    with pytest.raises(PublishError) as caught:
        await publisher.publish(folder, KEY, cid=tree.cid)
    assert (caught.value.code, caught.value.permanent) == ("broken-off", False)
    server.breaks_at = None
    await publisher.publish(folder, KEY, cid=tree.cid)
    assert server.seen[0].root == tree.cid


async def test_a_result_that_is_another_is_not_sent(
    server: KuboShapes, publisher: IpfsPublisher
) -> None:
    """A result without the claimed CID reaches no service."""
    with pytest.raises(PublishError, match="has the CID"):
        await publisher.publish(OTHER, KEY, cid=SMALL_ROOT.cid)
    assert not server.seen


@pytest.mark.parametrize(
    ("target", "credential", "code"),
    [
        ("", {}, "credential"),
        ("", {"token": SECRET}, "credential"),
        ("", {"url": f"http://ann:{SECRET}@host"}, "credential"),
        ("", {"url": "http://host", "token": f"{SECRET}\n"}, "credential"),
        ("", {"url": "http://host", "gateway": "nowhere"}, "credential"),
        ("somewhere", {"url": "http://host"}, "bad-target"),
    ],
)
def test_what_cannot_be_opened_is_refused(
    tmp_path: Path, target: str, credential: dict[str, str], code: str
) -> None:
    """A bad target or credential is refused before anything is asked, and tells no secret."""
    with pytest.raises(PublishError) as caught:
        IpfsPublisher(target, credential, Workplace(tmp_path))
    assert (caught.value.code, caught.value.permanent) == (code, True)
    assert SECRET not in str(caught.value)


async def test_the_check_leaves_the_empty_folder_alone(
    place: IpfsPlace, node: IpfsPublisher
) -> None:
    """Trying a node pins the folder that holds nothing, once, however often it is tried."""
    await node.check()
    await node.check()
    assert await place.pins("recursive") == {EMPTY_FOLDER.cid}


async def test_a_root_is_found_with_its_shards(place: IpfsPlace, node: IpfsPublisher) -> None:
    """A job's root leads to shards at the same node, and its own block is pinned by itself."""
    shards = [
        await node.publish(SMALL, "job/0", cid=SMALL_ROOT.cid),
        await node.publish(OTHER, "job/1", cid=OTHER_ROOT.cid),
    ]
    cid, data = root_of(*shards)
    location = await node.publish_root(data, cid=cid)
    assert location.cid == cid
    assert location.size_bytes > sum(shard.size_bytes for shard in shards)
    assert await place.pins("direct") == {cid}
    copy = node.copy(location)
    assert b"".join([part async for part in reading.fetch(copy, cid, "1/stdout")]) == b"other\n"
    await copy.close()


async def test_a_root_needs_no_shard(place: IpfsPlace, node: IpfsPublisher) -> None:
    """A root whose shards lie elsewhere is published all the same, and so is a repeat."""
    absent = Location("", *SMALL_ROOT)
    cid, data = root_of(absent, absent)
    first = await node.publish_root(data, cid=cid)
    assert await node.publish_root(data, cid=cid) == first
    assert await place.pins("direct") == {cid}


async def test_a_root_may_bring_what_is_pinned_already(
    place: IpfsPlace, node: IpfsPublisher
) -> None:
    """A block of the CAR that is pinned with all below it stays so."""
    shard = await node.publish(SMALL, "job/0", cid=SMALL_ROOT.cid)
    cid, data = root_of(shard)
    copy = node.copy(shard)
    block = await copy.node(cid_bytes(shard.cid))
    await copy.close()
    whole = car(cid_bytes(cid), [*parsed(data)[1], (cid_bytes(shard.cid), block)])
    await node.publish_root(whole, cid=cid)
    assert await place.pins("direct") == {cid}
    assert shard.cid in await place.pins("recursive")


@pytest.mark.parametrize("cut", [None, -1])
async def test_a_root_that_is_another_is_not_sent(
    server: KuboShapes, publisher: IpfsPublisher, cut: int | None
) -> None:
    """A CAR that is damaged or has another root reaches no service."""
    _, data = root_of(Location("", *SMALL_ROOT))
    with pytest.raises(PublishError) as caught:
        await publisher.publish_root(data[:cut], cid=OTHER_ROOT.cid)
    assert caught.value.permanent
    assert not server.seen


async def test_a_service_without_pins_is_verified_by_its_gateway(tmp_path: Path) -> None:
    """Where pins cannot be asked for, a result is there when the gateway has all of its blocks."""
    with Web3Storage() as service:
        credential = {"url": service.url, "gateway": service.url}
        location = Location(f"ipfs://{EMPTY_FOLDER.cid}", EMPTY_FOLDER.cid, 4)
        blind = IpfsPublisher("", {"url": service.url}, Workplace(tmp_path))
        with pytest.raises(PublishError, match="'gateway'"):
            await blind.verify(location)
        await blind.close()
        publisher = IpfsPublisher("", credential, Workplace(tmp_path))
        with pytest.raises(PublishError, match="does not have") as caught:
            await publisher.verify(location)
        assert caught.value.code == "missing"
        ((name, block),) = parsed(EMPTY_FOLDER.car)[1]
        service.blocks[name] = block
        await publisher.verify(location)
        await publisher.close()
