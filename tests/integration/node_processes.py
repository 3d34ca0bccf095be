"""Nodes as processes of their own, so that a test can kill them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lota_process import Machine, Running


class Nodes:
    """Starts nodes against one server; each keeps its state folder from one life to the next."""

    def __init__(self, folder: Path, url: str) -> None:
        self.machine = Machine(folder)
        self.published = folder / "published"
        self._url = url

    def state(self, name: str) -> Path:
        """Return the state folder of a node."""
        return self.machine.folder / "nodes" / name

    @asynccontextmanager
    async def start(
        self, name: str, role: str = "compute", *options: str | Path
    ) -> AsyncIterator[Running]:
        """Start a node and wait until it serves."""
        words: list[str | Path] = [
            "node",
            "serve",
            "--name",
            name,
            "--role",
            role,
            "--server",
            self._url,
        ]
        words += ["--state", self.state(name), "--publish-root", self.published]
        words += ["--allow", "process"] if role == "compute" else []
        async with self.machine.start(*words, *options) as running:
            await running.line("serves as")
            yield running
