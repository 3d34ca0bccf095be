"""Webhooks of a real network: nodes as processes, a real log and bucket, and kills in the midst."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from events.jetstream import JetStreamKeyValues
from events.spec import JobSpec, Sharding
from node.server import CONFIG, EmbeddedServer
from node.webhooks.registration import BUCKET, Webhook, webhook_id
from node.webhooks.registry import Registry
from tests.integration.node_processes import Nodes
from tests.integration.rules import IMPATIENT
from tests.integration.watch import Watch
from tests.lota_process import PATIENCE_S
from tests.node.webhooks.small_world import SECRET, is_signed
from tests.servers.webhooks import Delivered, Receiver, reply

TYPES = ("job.submitted", "shards.awarded", "results.judged", "job.completed")


@pytest.fixture
async def registry(watch: Watch) -> AsyncIterator[Registry]:
    values = JetStreamKeyValues(watch.client, BUCKET)
    await values.ensure()
    yield Registry(values)
    await values.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
def nodes(server: EmbeddedServer, tmp_path: Path) -> Nodes:
    """What starts nodes as processes, all with the secret."""
    nodes = Nodes(tmp_path, server.url)
    nodes.machine.environment["LOTA_CRED_HOOKS_SECRET"] = SECRET
    return nodes


async def register(registry: Registry, url: str, *types: str) -> str:
    name = webhook_id(url, types, "")
    webhook = Webhook(id=name, url=url, created_ms=1, types=types, credential="hooks")
    await registry.add(webhook, 0)
    return name


def wanted(watch: Watch, *types: str) -> dict[str, list[str]]:
    """Return the ids of the events of these types, or of all, by job and in order of the log."""
    found: dict[str, list[str]] = {}
    for entry in watch.entries:
        if not types or entry.address.kind in types:
            found.setdefault(entry.address.job, []).append(entry.event.id)
    return found


async def check_all_arrived(watch: Watch, receiver: Receiver, *types: str) -> None:
    """Every event of the log came, whole and signed, in the order of its job."""
    ids = [one for ids in wanted(watch, *types).values() for one in ids]
    await receiver.until_taken(*ids)
    assert receiver.first_taken() == wanted(watch, *types)
    bodies = {entry.event.id: entry.record.body for entry in watch.entries}
    for it in receiver.taken:
        assert it.body == bodies[it.id]
        assert is_signed(it)


def small_job() -> JobSpec:
    return JobSpec(engine="noop", sharding=Sharding(count=3))


async def test_a_killed_requester_is_taken_over(
    watch: Watch, registry: Registry, receiver: Receiver, nodes: Nodes
) -> None:
    """The one that delivers is killed while it does, and the other goes on: every event of the
    types arrives, in order in each job.
    """
    receiver.answer = lambda it: reply(500 if len(receiver.delivered) % 5 == 3 else 200)
    name = await register(registry, receiver.url, *TYPES)
    allowed = {"allow_webhooks": ("127.0.0.1",)}
    async with AsyncExitStack() as stack:
        running = {
            it: await stack.enter_async_context(
                nodes.start_by(IMPATIENT, it, "requester", **allowed)
            )
            for it in ("r1", "r2")
        }
        await stack.enter_async_context(nodes.start("c1"))
        jobs = [await watch.submit(small_job()) for _ in range(15)]
        await receiver.until(lambda: len(receiver.taken) >= 20)
        killed = (await registry.find(name)).progress.node
        await running[killed].kill()
        jobs += [await watch.submit(small_job()) for _ in range(15)]
        for job in jobs:
            await watch.closed(job)
        await check_all_arrived(watch, receiver, *TYPES)
        survivor = (await registry.find(name)).progress.node
        assert {killed, survivor} == {"r1", "r2"}
    assert set(receiver.first_taken()) == set(jobs)


async def test_the_only_requester_and_the_server_are_killed(
    server: EmbeddedServer, watch: Watch, registry: Registry, receiver: Receiver, nodes: Nodes
) -> None:
    """Deliveries of everything, of nodes too, go on when the requester is started again, and when
    the server is.
    """
    await register(registry, receiver.url)
    allow = ("--allow-webhook", "127.0.0.1")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(nodes.start("r1", "requester", *allow))
        await stack.enter_async_context(nodes.start("c1"))
        jobs = [await watch.submit(small_job()) for _ in range(10)]
        await receiver.until(lambda: len(receiver.taken) >= 12)
        await first.kill()
        await stack.enter_async_context(nodes.start("r1", "requester", *allow))
        jobs += [await watch.submit(small_job()) for _ in range(10)]
        await receiver.until(lambda: len(receiver.taken) >= 60)
        await server.kill()
        await server.start()
        jobs += [await watch.submit(small_job()) for _ in range(10)]
        for job in jobs:
            await watch.closed(job)
        await check_all_arrived(watch, receiver)
    assert "_" in receiver.first_taken()


async def test_a_node_that_is_killed_while_its_receiver_hangs(
    watch: Watch, registry: Registry, receiver: Receiver, nodes: Nodes
) -> None:
    """What was under way and not answered is sent again by the node's next life."""
    hanging = asyncio.Event()

    def answer(it: Delivered) -> bytes:
        hanging.set()
        return b""

    receiver.answer = answer
    await register(registry, receiver.url, "job.submitted")
    allow = ("--allow-webhook", "127.0.0.1")
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(nodes.start("r1", "requester", *allow))
        await stack.enter_async_context(nodes.start("c1"))
        job = await watch.submit(small_job())
        async with asyncio.timeout(PATIENCE_S):
            await hanging.wait()
        await first.kill()
        receiver.answer = lambda it: reply(200)
        await stack.enter_async_context(nodes.start("r1", "requester", *allow))
        await watch.closed(job)
        await check_all_arrived(watch, receiver, "job.submitted")
    assert receiver.delivered[0].id == receiver.taken[0].id


async def test_a_requester_that_may_not_see_the_bucket_decides_all_the_same(
    tmp_path: Path,
) -> None:
    """A server that does not let it at the webhooks is no reason to fail, and is told."""
    refused = ", ".join(f'"$JS.API.STREAM.{it}.KV_{BUCKET}"' for it in ("INFO", "CREATE"))
    login = f'{{user: "me", password: "pw", permissions: {{publish: {{deny: [{refused}]}}}}}}'
    config = tmp_path / "nats.conf"
    config.write_text(f"{CONFIG.read_text()}\nauthorization {{ users: [{login}] }}\n")
    async with (
        EmbeddedServer(tmp_path / "nats", config=config) as server,
        AsyncExitStack() as stack,
    ):
        url = server.url.replace("//", "//me:pw@")
        watch = await stack.enter_async_context(Watch(url))
        nodes = Nodes(tmp_path, url)
        requester = await stack.enter_async_context(nodes.start("r1", "requester"))
        await stack.enter_async_context(nodes.start("c1"))
        assert (await watch.closed(await watch.submit(small_job()))).state == "completed"
        await requester.line("webhooks are not delivered by r1 now")
        assert (await requester.terminate()).code == 0
