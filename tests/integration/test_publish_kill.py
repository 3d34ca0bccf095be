"""A node is killed outright while it publishes, again and again: nothing is lost or paid twice.

Each life of the node ends at another step of its publishing. For drivers that speak to a service a
step is a message on that line, for `lotus` a step of its command, for `local` one below the
publish root. LOTA_KILL_STEPS=N ends a life at each of the first N steps instead of at a few.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Protocol

import pytest

from events.spec import JobSpec, PublisherSpec, Sharding
from node.server import EmbeddedServer
from projections.state import Job
from tests.contracts.places import SERVED, Place, place_of
from tests.contracts.places.lotus import LotusPlace
from tests.integration.node_processes import ROOT, Nodes
from tests.integration.watch import Watch, claim_of
from tests.lota_process import LOTA, Running
from tests.servers.nats import nats_port
from tests.tcp_proxy import HOST, TcpProxy

FEW = (0, 2, 5, 9)
STEPS = tuple(range(int(os.environ.get("LOTA_KILL_STEPS", "0")))) or FEW
SHARDS = 6 * len(STEPS)
NAME = "c1"


class Death(Protocol):
    """Kills the node at a step of its publishing; `words` start it, `variables` are for it."""

    words: list[str]
    variables: dict[str, str]
    url: str

    async def at(self, step: int) -> None:
        """Let the next life end there; below 0, let it live."""
        ...


class DeathAtMessage:
    """On the line to a service; for `nats` that is the node's line to the log's own server."""

    def __init__(self, place: Place, proxy: TcpProxy, nodes: Nodes) -> None:
        by_client = place.driver == "nats"
        self.words = [str(LOTA)]
        self.variables = {} if by_client else as_variables(place.via(proxy.port))
        self.url = proxy.url if by_client else nodes.url
        self._among = place.target.encode() if by_client else b""
        self._proxy = proxy
        self._lock = nodes.state(NAME) / "lock"

    async def at(self, step: int) -> None:
        await self._proxy.idle()  # a message of the life before would be taken for this one's
        self._proxy.break_at(step if step >= 0 else None, self._kill, among=self._among)

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(int(self._lock.read_text()), signal.SIGKILL)


class DeathAtCommand:
    """By the fake of the command `lotus`."""

    def __init__(self, place: LotusPlace, nodes: Nodes) -> None:
        self.words = [str(LOTA)]
        self.variables = as_variables(place.credential)
        self.url = nodes.url
        self._lotus = place.lotus
        self._machine = nodes.machine

    async def at(self, step: int) -> None:
        while any("lotus" in process for process in await asyncio.to_thread(self._machine.left)):
            pass  # a command of the life before goes on, and its steps are not the next one's
        number = self._lotus.steps + step + 1 if step >= 0 else 0  # counted from 1
        self._lotus.control(token="jwt", die=[number, "parent"])


class DeathAtStep:
    """By the node's own hand."""

    def __init__(self, place: Place, nodes: Nodes) -> None:
        self.variables = {"PYTHONPATH": str(ROOT)}
        self.url = nodes.url
        self._root = place.target
        self.words: list[str] = []

    async def at(self, step: int) -> None:
        module = "tests.integration.dying_node"
        self.words = [sys.executable, "-m", module, self._root, str(step)]


def as_variables(credential: dict[str, str]) -> dict[str, str]:
    """Return a credential named `place` as a node's environment holds it."""
    return {f"LOTA_CRED_PLACE_{field.upper()}": value for field, value in credential.items()}


def publishing(place: Place) -> JobSpec:
    """Return a job whose shards print their own number and publish to the place."""
    return JobSpec(
        engine="process",
        command=("sh", "-c", "echo $LOTA_SHARD; echo file > outputs/a"),
        sharding=Sharding(count=SHARDS),
        publishers=(
            PublisherSpec(
                driver=place.driver,
                target="" if place.driver == "local" else place.target,
                credential="place" if place.credential else "",
            ),
        ),
        timeout="30s",
    )


class Lives:
    """The node's lives, one after the other."""

    def __init__(self, nodes: Nodes, place: Place, death: Death) -> None:
        self._nodes = nodes
        self._place = place
        self._death = death

    async def end_at(self, stack: AsyncExitStack, step: int) -> None:
        """Live until the step; whoever restarts a node tries again while its name is taken."""
        while True:
            ended = await (await self.start(stack, step)).end()
            if "on this network already" not in ended.err:
                assert ended.code == -signal.SIGKILL, ended.err
                return

    async def start(self, stack: AsyncExitStack, step: int) -> Running:
        """Start the node for a life that ends at the step."""
        await self._death.at(step)
        words = [*self._death.words, "node", "serve", "--name", NAME, "--role", "compute"]
        words += ["--server", self._death.url, "--state", str(self._nodes.state(NAME))]
        root = self._place.target if self._place.driver == "local" else self._nodes.published
        words += ["--publish-root", str(root), "--allow", "process"]
        starting = self._nodes.machine.start(*words, stdin=b"", **self._death.variables)
        return await stack.enter_async_context(starting)


@pytest.fixture(params=["local", "lotus", *SERVED])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with place_of(request.param, tmp_path / "place") as made:
        yield made


@pytest.fixture
async def nodes(place: Place, tmp_path: Path) -> AsyncIterator[Nodes]:
    """What starts nodes, at a server of their own; for `nats`, at the one with the bucket."""
    if place.driver == "nats":
        yield Nodes(tmp_path, f"nats://{HOST}:{nats_port()}")
        return
    async with EmbeddedServer(tmp_path / "nats") as server:
        yield Nodes(tmp_path, server.url)


@pytest.fixture
async def death(place: Place, nodes: Nodes) -> AsyncIterator[Death]:
    if isinstance(place, LotusPlace):
        yield DeathAtCommand(place, nodes)
    elif place.driver == "local":
        yield DeathAtStep(place, nodes)
    else:
        port = nats_port() if place.driver == "nats" else place.port
        async with TcpProxy(port or 0) as proxy:
            yield DeathAtMessage(place, proxy, nodes)


async def check(place: Place, job: Job) -> None:
    """Hold every slot to one copy, which is whole when looked at from outside."""
    assert job.state == "completed", job.reason
    assert (job.illegal, job.stories) == (0, [])
    for index, shard in enumerate(job.shards):
        cid = claim_of(shard).cid
        copies = {(copy.uri, copy.cid) for slot in shard.slots.values() for copy in slot.copies}
        assert len(copies) == 1, f"shard {index}: {copies}"
        assert {copied for _, copied in copies} == {cid}
        assert await place.seen_cid(f"{job.id}/{index}", cid) == cid
    if isinstance(place, LotusPlace):
        assert place.lotus.made == len(job.shards)


async def test_a_node_that_dies_while_it_publishes_takes_it_up_again(
    place: Place, nodes: Nodes, death: Death
) -> None:
    """However often it dies, each slot has one URI and CID in the end, made or paid for once."""
    lives = Lives(nodes, place, death)
    async with AsyncExitStack() as stack, Watch(nodes.url) as watch:
        await stack.enter_async_context(nodes.start("r1", "requester"))
        name = await watch.submit(publishing(place))
        for step in STEPS:
            await lives.end_at(stack, step)
        last = await lives.start(stack, -1)
        job = await watch.closed(name)
        await check(place, job)
        assert (await last.terminate()).code == 0
    assert set(await place.leftovers()) <= {job.root_cid}
