"""Messages that a one-shard job costs, as nats-server counts them, at three sizes of network.

An idle time of equal length is taken off, since heartbeats and pull requests grow with the nodes
and not with the jobs. Beside it, what the job costs when every node is asked to bid.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import NamedTuple

import httpx
import msgspec

from benchmarks.client import Client, client, per_s
from benchmarks.figures import Figure, Limit, Peer
from benchmarks.jobs import FUSED
from benchmarks.network import network
from node.policy import Policy

SIZES = (4, 16, 64)
JOBS = 1_000
JOBS_ASKING_ALL = 150
WINDOW = 16
WARM_UP = 100
QUIET_S = 0.5
GROWTH = Limit(1.05, at_most=True)


class Traffic(msgspec.Struct, frozen=True):
    """What /varz counts, over all clients."""

    in_msgs: float
    out_msgs: float

    def since(self, before: "Traffic") -> "Traffic":
        """Return the messages that came and went in between."""
        return Traffic(self.in_msgs - before.in_msgs, self.out_msgs - before.out_msgs)


class PerJob(NamedTuple):
    """Messages a job, in and out, as counted and of an idle time of equal length."""

    counted: Traffic
    idle: Traffic

    @property
    def net(self) -> float:
        """Messages in and out, the idle ones taken off."""
        gone = self.counted.since(self.idle)
        return gone.in_msgs + gone.out_msgs


async def cost(made: Client, monitor_url: str, jobs: int) -> PerJob:
    """Run jobs, then nothing for as long, and return what each of the jobs cost."""
    async with httpx.AsyncClient(base_url=monitor_url) as monitor:

        async def now() -> Traffic:
            return msgspec.json.decode((await monitor.get("/varz")).content, type=Traffic)

        await asyncio.sleep(QUIET_S)
        first, began = await now(), time.perf_counter()
        await per_s(made, FUSED, jobs, WINDOW)
        await asyncio.sleep(QUIET_S)
        length_s = time.perf_counter() - began
        second = await now()
        await asyncio.sleep(length_s)
        idle, counted = (await now()).since(second), second.since(first)
    return PerJob(*(Traffic(t.in_msgs / jobs, t.out_msgs / jobs) for t in (counted, idle)))


async def at(nodes: int, over_ask: int, jobs: int) -> PerJob:
    """Return the cost of a job in a network of so many compute nodes."""
    async with network(nodes, over_ask=over_ask) as server, client(server.url) as made:
        await per_s(made, FUSED, WARM_UP, WINDOW)
        return await cost(made, server.monitor_url, jobs)


async def measure() -> AsyncIterator[Figure]:
    """Yield the cost at each size beside asking all, and the growth from the least to the most."""
    net: dict[int, float] = {}
    for nodes in SIZES:
        few = await at(nodes, Policy().over_ask, JOBS)
        every = await at(nodes, nodes, JOBS_ASKING_ALL)
        for name, came in ((f"{Policy().over_ask} asked", few), ("all asked", every)):
            print(
                f"  {nodes} nodes, {name}: in {came.counted.in_msgs:.2f} out "
                f"{came.counted.out_msgs:.2f}, idle for as long in {came.idle.in_msgs:.2f} out "
                f"{came.idle.out_msgs:.2f}",
                flush=True,
            )
        net[nodes] = few.net
        yield Figure(
            what=f"messages per one-shard job, in and out, {nodes} nodes",
            value=few.net,
            unit="messages",
            peer=Peer(name="asking every node", value=every.net, ratio=few.net / every.net),
        )
    least, most = SIZES[0], SIZES[-1]
    yield Figure(
        what=f"messages per job, {most} nodes against {least}",
        value=net[most],
        unit="messages",
        peer=Peer(
            name=f"{least} nodes", value=net[least], ratio=net[most] / net[least], limit=GROWTH
        ),
    )
