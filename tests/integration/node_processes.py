"""Nodes as processes of their own, so that a test can kill them."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from node.config import Address, NodeConfig
from node.policy import Policy
from tests.lota_process import LOTA, Machine, Running

ROOT = Path(__file__).resolve().parents[2]


class Nodes:
    """Starts nodes against one server; each keeps its state folder from one life to the next.

    Nodes are told its address, unless they find it by themselves (`found`).
    """

    def __init__(self, folder: Path, url: str, *, found: bool = False) -> None:
        self.machine = Machine(folder)
        self.published = folder / "published"
        self.url = url
        self.found = found

    def state(self, name: str) -> Path:
        """Return the state folder of a node."""
        return self.machine.folder / "nodes" / name

    @asynccontextmanager
    async def start(
        self, name: str, role: str = "compute", *options: str | Path, **environment: str
    ) -> AsyncIterator[Running]:
        """Start `lota node serve` and wait until it serves."""
        words: list[str | Path] = [LOTA, "node", "serve", "--name", name, "--role", role]
        words += ["--state", self.state(name)]
        words += [] if self.found else ["--server", self.url]
        words += ["--publish-root", self.published]
        words += ["--allow", "process"] if role == "compute" else []
        async with self.machine.start(*words, *options, stdin=b"", **environment) as running:
            await running.line("serves as")
            yield running

    @asynccontextmanager
    async def start_by(
        self, policy: Policy, name: str, role: str = "compute", **more: Any
    ) -> AsyncIterator[Running]:
        """Start a node that goes by `policy` and wait until it serves; `more` is of NodeConfig."""
        config = NodeConfig(
            name=name,
            address=Address(self.url),
            state=self.state(name),
            roles=(role,),
            engines=("noop", "process"),
            publish_root=self.published,
            cpu=1,
            width=1,
            memory_bytes=2**30,
            **more,
        )
        told = b"\n".join(msgspec.json.encode(it, enc_hook=str) for it in (config, policy))
        words = [sys.executable, "-m", "tests.integration.run_host"]
        async with self.machine.start(*words, stdin=told, PYTHONPATH=str(ROOT)) as running:
            await running.line("serves as")
            yield running
