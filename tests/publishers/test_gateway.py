"""Reading a result block by block through an IPFS gateway."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from events.cid import cid_bytes, raw_cid_bytes
from events.errors import NotFound, PublishError
from publishers import reading
from publishers.gateway import GatewayCopy, ipfs_location, require_ipfs
from publishers.http import HttpService
from publishers.port import Location
from publishers.unixfs import tree_cid
from tests.golden.unixfs import golden_trees
from tests.servers.kubo_shapes import KuboShapes
from tests.servers.web3_storage import Web3Storage

CID = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


@pytest.fixture
def server() -> Iterator[Web3Storage]:
    with Web3Storage() as opened:
        yield opened


@pytest.fixture
async def copy(server: Web3Storage) -> AsyncIterator[GatewayCopy]:
    opened = GatewayCopy(HttpService("some", server.url))
    yield opened
    await opened.close()


async def test_files_and_ranges_are_read(
    server: Web3Storage, copy: GatewayCopy, tmp_path: Path
) -> None:
    """A tree whose blocks a gateway has is listed, and any range of a file is read."""
    tree = next(tree for tree in golden_trees() if tree.name == "one-chunk-edge")
    tree.write_to(tmp_path)
    blocks = server.blocks
    tree_cid(tmp_path, sink=lambda cid, block: blocks.update({cid: bytes(block)}))
    await reading.verify(copy, tree.cid)
    found = [entry.path async for entry in reading.entries(copy, tree.cid)]
    assert found == sorted(tree.files)
    path, content = max(tree.files.items(), key=lambda file: len(file[1] or b""))
    assert content is not None
    parts = reading.fetch(copy, tree.cid, path, offset=1_000_000, size_bytes=100_000)
    assert b"".join([part async for part in parts]) == content[1_000_000:1_100_000]


async def test_a_block_that_is_not_there_is_not_found(copy: GatewayCopy) -> None:
    """What a gateway does not have is not found, rather than a failure of the gateway."""
    with pytest.raises(NotFound):
        await copy.node(cid_bytes(CID))
    with pytest.raises(NotFound):
        await copy.leaf(raw_cid_bytes(b"x"), "stdout", 0, 1)


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("endless", "bad-answer"),
        ("cut", "broken-off"),
        ("504", "unavailable"),
        ("429", "busy"),
        ("redirect", "rejected"),
        ("denied", "refused"),
    ],
)
async def test_a_gateway_that_fails_is_a_failure(shape: str, code: str) -> None:
    """A gateway that answers anything but a block is not taken at its word."""
    async with KuboShapes(shape) as server:
        copy = GatewayCopy(HttpService("some", server.url))
        with pytest.raises(PublishError) as caught:
            await copy.node(cid_bytes(CID))
        await copy.close()
    assert caught.value.code == code
    assert server.seen[0].target == f"/ipfs/{CID}?format=raw"
    assert "authorization" not in server.seen[0].headers


async def test_a_false_block_is_tampered() -> None:
    """A gateway that gives other bytes than were asked for is found out by the reader."""
    async with KuboShapes("garbage") as server:
        copy = GatewayCopy(HttpService("some", server.url))
        with pytest.raises(PublishError) as caught:
            await reading.verify(copy, CID)
        await copy.close()
    assert caught.value.code == "tampered"


def test_a_location_is_its_cid() -> None:
    """A location of a result that is found by its CID names that CID and nothing else."""
    location = ipfs_location(CID, 4)
    assert location == Location(f"ipfs://{CID}", CID, 4)
    assert require_ipfs("some", location) == CID


@pytest.mark.parametrize(
    "location",
    [
        Location("ipfs://", "", 4),
        Location(f"ipfs://{CID}/stdout", CID, 4),
        Location("ipfs://../../etc", "../../etc", 4),
        Location(f"file:///{CID}", CID, 4),
        Location(f"ipfs://{CID}", CID[:-1], 4),
    ],
)
def test_a_location_from_elsewhere_is_refused(location: Location) -> None:
    """What was not made of a CID becomes no URL."""
    with pytest.raises(PublishError) as caught:
        require_ipfs("some", location)
    assert (caught.value.code, caught.value.permanent) == ("bad-location", True)
