"""A whole network, as processes, whose server comes back without its log, or with a part of it."""

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from node.server import EmbeddedServer
from tests.integration.node_processes import Nodes
from tests.lota_process import LOTA, PATIENCE_S, Running

LOST = "the server has no stream LOTA any more"


class Network(NamedTuple):
    """The processes of a network, and where its dashboard is."""

    nodes: Nodes
    requester: Running
    compute: Running
    ui: Running
    url: str

    async def run_job(self) -> str:
        """Run a job and return its id once the dashboard shows that it has completed."""
        words = ("--server", self.nodes.url)
        ran = await self.nodes.machine.run("run", *words, "--", "echo", "hello")
        assert (ran.code, ran.out) == (0, "hello\n"), ran.err
        newest = (await self.nodes.machine.run("job", "ls", "-q", *words)).out.split()[0]
        await self.shown(f"/api/v1/jobs/{newest}", "state", "completed")
        return newest

    async def shown(self, path: str, name: str, value: Any) -> httpx.Response:
        """Ask the dashboard until a document says this, or anything where nothing is named."""
        async with asyncio.timeout(PATIENCE_S), httpx.AsyncClient(base_url=self.url) as client:
            while (found := await client.get(path)).json().get(name) != value:
                pass
            return found

    async def jobs(self) -> list[str]:
        """Return the ids of the jobs that the dashboard lists."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            return [row["id"] for row in (await client.get("/api/v1/jobs")).json()["jobs"]]


async def started(stack: AsyncExitStack, nodes: Nodes) -> Network:
    """Start a requester, a compute node and a dashboard."""
    requester = await stack.enter_async_context(nodes.start("r1", "requester"))
    compute = await stack.enter_async_context(nodes.start("c1"))
    words = ("ui", "--show-url", "--server", nodes.url, "--listen", "127.0.0.1:0")
    ui = await stack.enter_async_context(nodes.machine.start(LOTA, *words))
    url = (await ui.line("/ui/")).partition("/ui/")[0]
    await ui.line("serving until")
    return Network(nodes, requester, compute, ui, url)


async def test_a_log_that_is_gone_is_waited_for(server: EmbeddedServer, tmp_path: Path) -> None:
    """All say that the log is gone, and go on as if nothing had happened when it is back."""
    async with AsyncExitStack() as stack:
        network = await started(stack, Nodes(tmp_path, server.url))
        first = await network.run_job()
        await server.stop()
        shutil.move(server.store, tmp_path / "away")
        await server.start()
        await network.requester.line(LOST)
        await network.ui.line(LOST)
        await network.shown("/readyz", "status", 503)
        assert await network.jobs() == [first]
        await server.stop()
        shutil.rmtree(server.store)
        shutil.move(tmp_path / "away", server.store)
        await server.start()
        await network.shown("/readyz", "status", "ok")
        newest = await network.run_job()
        assert await network.jobs() == [newest, first]


async def test_a_log_that_is_another(server: EmbeddedServer, tmp_path: Path) -> None:
    """The dashboard begins anew with a new log; nodes end, and say which and why, having said
    nothing there.
    """
    async with AsyncExitStack() as stack:
        nodes = Nodes(tmp_path, server.url)
        network = await started(stack, nodes)
        await network.run_job()
        await server.kill()
        shutil.rmtree(server.store)
        await server.start()
        await network.ui.line(LOST)
        assert (await nodes.machine.run("job", "ls", "--server", server.url)).code == 0
        ended = {name: await getattr(network, name).end() for name in ("requester", "compute")}
        await network.ui.line("is built anew")
        await network.shown("/api/v1/log", "last", 0)
        assert await network.jobs() == []
        renewed = [nodes.start("r2", "requester"), nodes.start("c2")]
        for one in renewed:
            await stack.enter_async_context(one)
        newest = await network.run_job()
        assert await network.jobs() == [newest]
        assert (await network.ui.interrupt()).code == 0
    for name, file in (("requester", "r1/projections.db"), ("compute", "c1/memory.db")):
        assert ended[name].code != 0
        said = f"is not one of {server.url}: {tmp_path}/nodes/{file} belongs to another"
        assert said in ended[name].err
        assert "If that log is gone for good" in ended[name].err
        assert "Traceback" not in ended[name].err


async def test_a_log_without_its_end(server: EmbeddedServer, tmp_path: Path) -> None:
    """With an older backup the dashboard and compute nodes go on; a requester ends, and does so at
    its next start.
    """
    async with AsyncExitStack() as stack:
        nodes = Nodes(tmp_path, server.url)
        network = await started(stack, nodes)
        first = await network.run_job()
        await server.stop()
        shutil.copytree(server.store, tmp_path / "backup")
        await server.start()
        await network.run_job()
        await server.kill()
        shutil.rmtree(server.store)
        shutil.move(tmp_path / "backup", server.store)
        await server.start()
        ended = await network.requester.end()
        await network.ui.line("looking again at the log")
        requester = await stack.enter_async_context(nodes.start("r1", "requester"))
        newest = await network.run_job()
        assert await network.jobs() == [newest, first]
        assert "is built anew" in requester.err
    assert ended.code != 0
    assert "projections.db is ahead of the log, which has lost its end" in ended.err
    assert "start again: it is built anew then" in ended.err
