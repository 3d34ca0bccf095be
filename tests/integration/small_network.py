"""A network in this process, under quick rules, whose engines a test may replace."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from events.errors import NotFound
from node.config import Address, NodeConfig
from node.credentials import Credentials
from node.executors.port import Executor, Outcome, Stream, Task
from node.host import Host
from node.server import EmbeddedServer
from tests.integration.rules import QUICK
from tests.integration.watch import Watch


class FakeEngine:
    """A driver of the executor's port that answers by a function and runs nothing."""

    def __init__(self, name: str, answer: Callable[[Task], Awaitable[Outcome]]) -> None:
        self.name = name
        self._answer = answer

    async def check(self) -> None:
        """It can always run."""

    async def run(self, task: Task, folder: Path) -> Outcome:
        """Answer."""
        return await self._answer(task)

    async def stop(self, execution: str) -> None:
        """There is nothing to stop."""

    async def list_running(self) -> list[str]:
        """Nothing outlives this object."""
        return []

    async def read_output(self, execution: str, stream: Stream, offset: int, limit: int) -> bytes:
        """Nothing is written before the end."""
        raise NotFound(execution)

    def detach(self) -> None:
        """There is nothing to leave running."""

    async def close(self) -> None:
        """There is nothing to let go of."""


class SmallNetwork:
    """A server, one requester, and the compute nodes that a test starts.

    `url` is that of servers that are there already; else it starts its own.
    """

    def __init__(self, folder: Path, *, url: str = "") -> None:
        self.folder = folder
        self.server = EmbeddedServer(folder / "nats")
        self._url = url
        self._stack = AsyncExitStack()
        self._stacks: dict[str, AsyncExitStack] = {}

    async def __aenter__(self) -> Self:
        if not self._url:
            await self._stack.enter_async_context(self.server)
        self.watch = await self._stack.enter_async_context(Watch(self.url))
        await self.start("requester", "requester")
        return self

    async def __aexit__(self, *_: object) -> None:
        for name in list(self._stacks):
            await self.stop(name)
        await self._stack.aclose()

    @property
    def url(self) -> str:
        """The address of the network's servers."""
        return self._url or self.server.url

    async def start(
        self,
        name: str,
        role: str = "compute",
        *,
        drivers: Mapping[str, Executor] | None = None,
        credentials: Mapping[str, Mapping[str, str]] | None = None,
        **config: Any,
    ) -> None:
        """Start a node; `drivers` stand in for its engines, and `config` is that of NodeConfig.

        `credentials` are its operator's, fields by name.
        """
        variables = {
            f"LOTA_CRED_{name.upper()}_{field.upper()}": value
            for name, fields in (credentials or {}).items()
            for field, value in fields.items()
        }
        settings: dict[str, Any] = {
            "engines": ("noop", "process") if role == "compute" else (),
            "allow_paths": (str(self.folder),),
            "width": 2,
            **config,
        }
        node = NodeConfig(
            name=name,
            address=Address(self.url),
            state=self.folder / "nodes" / name,
            roles=(role,),
            publish_root=self.folder / "published",
            cpu=2,
            memory_bytes=2**31,
            **settings,
        )
        stack = AsyncExitStack()
        await stack.enter_async_context(
            Host(node, policy=QUICK, engines=drivers, credentials=Credentials(variables))
        )
        self._stacks[name] = stack

    async def stop(self, name: str) -> None:
        """Stop a node in good order."""
        await self._stacks.pop(name).aclose()
