"""What only the driver `nats` promises: it needs the log's server alone, and says what fails."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.errors import PublishError
from events.spec import PUBLISHERS
from node.server import EmbeddedServer
from publishers import open_publisher
from publishers.port import Location, Publisher, SmallResult, Workplace
from publishers.unixfs import result_cid
from tests.servers.nats import nats_port

RESULT = SmallResult(b"hello\n", b"", 0)
CID, SIZE = result_cid(b"hello\n", b"", 0)

LIMITED = """
jetstream {{ store_dir: "data" }}
authorization {{ users = [
  {{ user: "all", password: "x" }}
  {{ user: "some", password: "x", permissions: {{ publish: {{ deny: ["$O.>"] }} }} }}
] }}
"""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    opened = await connect(f"nats://127.0.0.1:{nats_port()}", name="driver")
    yield opened
    await opened.close()


def opened(target: str, folder: Path, client: Client | None) -> Publisher:
    return open_publisher("nats", target, {}, Workplace(folder, client))


async def failure(publisher: Publisher) -> PublishError:
    """Return what a publication fails with."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(RESULT, "job/0", cid=CID)
    return caught.value


async def test_results_go_to_a_bucket_of_lota_unless_the_job_names_one(
    client: Client, tmp_path: Path
) -> None:
    """The URI names bucket, job, shard and CID, and other clients find the files there."""
    for target, bucket in (("", "lota-results"), ("mine", "mine"), ("nats://yours", "yours")):
        publisher = opened(target, tmp_path, client)
        location = await publisher.publish(RESULT, "job/7", cid=CID)
        assert location.uri == f"nats://{bucket}/job/7/{CID}"
        store = await client.jetstream().object_store(bucket)
        assert (await store.get(f"job/7/{CID}/stdout")).data == b"hello\n"
        await publisher.close()


def test_a_job_need_not_name_a_credential() -> None:
    """The driver is there out of the box."""
    assert PUBLISHERS["nats"] is False


@pytest.mark.parametrize("target", ["a/b", "a.b", "a b", "*", "a" * 65, "nats://h:1/x"])
def test_a_target_that_is_no_bucket_is_refused(target: str, tmp_path: Path) -> None:
    """What cannot be the name of a bucket is told before anything is sent."""
    with pytest.raises(PublishError) as caught:
        opened(target, tmp_path, Client())
    assert (caught.value.code, caught.value.permanent) == ("bad-target", True)


def test_without_a_connection_it_cannot_be_opened(tmp_path: Path) -> None:
    """Where there is no log there is no bucket, and the error says so."""
    with pytest.raises(PublishError, match="needs a connection") as caught:
        opened("", tmp_path, None)
    assert caught.value.permanent


async def test_a_hundred_nodes_publish_into_one_new_bucket(client: Client, tmp_path: Path) -> None:
    """Nodes that all begin at once create one bucket, and each finds what the others published."""
    nodes = [opened("crowded", tmp_path / str(number), client) for number in range(100)]
    await asyncio.gather(
        *(node.publish(RESULT, f"job/{shard}", cid=CID) for shard, node in enumerate(nodes))
    )
    locations = [Location(f"nats://crowded/job/{shard}/{CID}", CID, SIZE) for shard in range(100)]
    await asyncio.gather(*map(nodes[0].verify, locations))
    for node in nodes:
        await node.close()


async def test_a_full_bucket_is_told_and_can_be_repeated(client: Client, tmp_path: Path) -> None:
    """A bucket without room is `disk-full`, and once there is room a repeat succeeds."""
    context = client.jetstream()
    await context.create_object_store("full", max_bytes=300)
    publisher = opened("full", tmp_path, client)
    error = await failure(publisher)
    assert (error.code, error.permanent) == ("disk-full", False)
    config = (await context.stream_info("OBJ_full")).config
    await context.update_stream(config.evolve(max_bytes=-1))
    await publisher.verify(await publisher.publish(RESULT, "job/0", cid=CID))
    await publisher.close()


async def test_a_sealed_bucket_fails_the_check(client: Client, tmp_path: Path) -> None:
    """A bucket that takes nothing any more is told by `check`, with what to do."""
    await (await client.jetstream().create_object_store("sealed")).seal()  # type: ignore[no-untyped-call]
    publisher = opened("sealed", tmp_path, client)
    with pytest.raises(PublishError, match="sealed"):
        await publisher.check()
    await publisher.close()


async def test_a_check_leaves_nothing_behind(client: Client, tmp_path: Path) -> None:
    """Whether we may write is asked without writing."""
    publisher = opened("checked", tmp_path, client)
    await publisher.check()
    await publisher.check()
    assert (await client.jetstream().stream_info("OBJ_checked")).state.messages == 0
    await publisher.close()


async def test_a_node_without_permission_is_refused(tmp_path: Path) -> None:
    """A server that does not let this node write is told as such, and not tried again."""
    config = tmp_path / "nats.conf"
    config.write_text(LIMITED.format())
    async with EmbeddedServer(tmp_path / "server", config=config) as server:
        client = await connect(server.url, name="some", user="some", password="x")
        publisher = opened("", tmp_path, client)
        error = await failure(publisher)
        assert (error.code, error.permanent) == ("refused", True)
        await publisher.close()
        await client.close()


async def test_a_server_that_is_away_can_be_repeated(tmp_path: Path) -> None:
    """While the server is down a publication fails for now; when it is back, a repeat succeeds."""
    back = asyncio.Event()
    async with EmbeddedServer(tmp_path / "server") as server:
        client = await connect(server.url, name="away", on_reconnect=back.set)
        publisher = opened("", tmp_path, client)
        await server.kill()
        error = await failure(publisher)
        assert (error.code, error.permanent) == ("unreachable", False)
        await server.start()
        await back.wait()
        await publisher.verify(await publisher.publish(RESULT, "job/0", cid=CID))
        await publisher.close()
        await client.close()
