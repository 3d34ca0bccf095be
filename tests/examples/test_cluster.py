"""Subscribers of every kind at a live cluster, whose log is on three servers."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import events
from events.connection import connect
from events.jetstream import open_log
from events.spec import Deal, JobSpec, Sharding
from tests.examples.js_subscriber import js_subscriber
from tests.integration.small_network import SmallNetwork
from tests.lota_process import LOTA, Machine
from tests.servers.nats_cluster import NatsCluster

END = "cancel.requested"
SPEC = JobSpec(engine="noop", sharding=Sharding(count=20), deal=Deal(replicas=2))


async def make_log(url: str) -> None:
    """Create the log with three replicas, as the first process of a cluster that attaches."""
    client = await connect(url, name="test")
    await (await open_log(client, replicas=3)).close()
    await client.close()


async def positions(url: str) -> list[int]:
    """Follow the log by the Python API to the first wish to cancel, and return what came."""
    found: list[int] = []
    async with events.connect(url) as lota, aclosing(lota.tail(follow=True)) as tail:
        async for entry in tail:
            found.append(entry.position)
            if entry.address.kind == END:
                break
    return found


async def test_subscribers_at_a_cluster(tmp_path: Path, machine: Machine) -> None:
    """While a job runs and one of three servers dies, each gets every event once and in order."""
    program = js_subscriber(machine.folder / "checkout")
    async with NatsCluster(tmp_path) as cluster:
        await make_log(cluster.url)
        doomed = cluster.servers[0]
        async with (
            SmallNetwork(tmp_path / "network", url=cluster.url) as network,
            # They know one server, and learn from it of the others.
            machine.start("node", program, "--follow", LOTA_SERVER=doomed.url) as javascript,
            machine.start(
                *(LOTA, "events", "tail", "--follow", "-o", "json"), LOTA_SERVER=doomed.url
            ) as command,
        ):
            python = asyncio.ensure_future(positions(doomed.url))
            for name in ("n1", "n2"):
                await network.start(name)
            await network.watch.joined("n1", "n2")
            first = await network.watch.submit(SPEC)
            await javascript.line(first)
            await command.line(first)
            await doomed.kill()
            second = await network.watch.submit(SPEC)
            assert (await network.watch.ended(first)).state == "completed"
            assert (await network.watch.ended(second)).state == "completed"
            await network.watch.cancel(second)
            await javascript.line(END)
            await command.line(END)
            validated, printed = await javascript.interrupt(), await command.interrupt()
            followed = await python
            records = [record async for batch in network.watch.log.read() for record in batch]

    end = len(followed)
    assert records[end - 1].subject.endswith(END)
    assert followed == [record.position for record in records][:end]
    lines = [line for line in validated.out.splitlines() if " lota.ev." in line]
    assert [int(line.split()[0]) for line in lines][:end] == followed
    told = printed.out.splitlines()[:end]
    assert told == [record.body.decode() for record in records][:end]
    assert (validated.code, validated.err, printed.code) == (0, "", 130)
