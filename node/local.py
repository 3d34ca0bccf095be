"""A whole network on one machine: nats-server beside one requester and some compute nodes."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import msgspec

from events.errors import AnotherLog, ExecutorError
from node.config import Address, NodeConfig, cores, memory_bytes
from node.credentials import Credentials
from node.executors.docker import DockerExecutor
from node.host import Host
from node.server import EmbeddedServer


class LocalConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What a local network is made of; `folder` keeps the server's store and the nodes' state.

    Without `engines` it offers all that this machine can run. Unless it is one to throw away, what
    runs when it stops is taken up when it starts again.
    """

    folder: Path
    publish_root: Path
    nodes: int = 3
    port: int = 0
    throw_away: bool = True
    engines: tuple[str, ...] = ()
    allow_paths: tuple[str, ...] = ()
    allow_webhooks: tuple[str, ...] = ()


class LocalNetwork:
    """`async with` gives a network that serves; leaving it stops all of it in order.

    All of its nodes publish with the same `credentials`.
    """

    def __init__(self, config: LocalConfig, credentials: Credentials | None = None) -> None:
        self.config = config
        self._credentials = credentials
        self.server = EmbeddedServer(config.folder / "nats", config.port)
        self.hosts: list[Host] = []
        self._engines: tuple[str, ...] = ()
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The address of the server."""
        return self.server.url

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.server)
            self._engines = self.config.engines or await _engines()
            compute = [self._host(f"node-{number + 1}") for number in range(self.config.nodes)]
            self.hosts = [*compute, self._host("requester")]
            for host in self.hosts:
                await self._enter(stack, host)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _enter(self, stack: AsyncExitStack, host: Host) -> None:
        try:
            await stack.enter_async_context(host)
        except AnotherLog as error:
            folder = self.config.folder
            raise AnotherLog(
                error.what,
                hint=f"The server's store, {folder / 'nats'}, and the nodes' folders beside it"
                f" belong together. Put the right store back, or delete {folder} to begin anew",
            ) from None

    async def failed(self) -> None:
        """Wait for ever, or raise what made a node fail."""
        await asyncio.wait(
            [host.failed for host in self.hosts], return_when=asyncio.FIRST_COMPLETED
        )
        for host in self.hosts:
            if host.failed.done():
                host.failed.result()

    def _host(self, name: str) -> Host:
        config = self.config
        requester = name == "requester"
        return Host(
            NodeConfig(
                name=name,
                address=Address(self.server.url),
                state=config.folder / name,
                roles=("requester",) if requester else ("compute",),
                engines=() if requester else self._engines,
                allow_paths=config.allow_paths,
                allow_webhooks=config.allow_webhooks,
                publish_root=config.publish_root,
                cpu=float(cores()),
                width=max(1, cores() // config.nodes),
                memory_bytes=memory_bytes(),
                throw_away=config.throw_away,
            ),
            credentials=self._credentials,
        )


async def _engines() -> tuple[str, ...]:
    """Return the engines that this machine can run: docker only where its engine answers."""
    docker = DockerExecutor("probe")
    try:
        await docker.check()
    except ExecutorError:
        return ("noop", "process")
    finally:
        await docker.close()
    return ("noop", "process", "docker")
