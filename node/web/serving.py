"""Serving results as one part of a node: from the bound socket to the last answer."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from nats.aio.client import Client

from node.config import ServeConfig
from node.web.blocks import ResultBlocks
from node.web.listening import listen
from node.web.node_metrics import NodeMetrics
from node.web.process_metrics import ProcessMetrics
from node.web.results import CROWDED, results_app
from node.web.server import WebServer


class ServedResults:
    """`async with` serves what lies below `root`, and the `metrics` of this node.

    `client` is the node's connection to NATS. Raises `WrongUsage` when it cannot be served as
    configured.
    """

    url = ""
    """Under which the others reach it."""

    def __init__(self, config: ServeConfig, root: Path, client: Client | None = None) -> None:
        self.metrics = NodeMetrics(ProcessMetrics(client))
        self._config = config
        self._root = root
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        listener = await asyncio.to_thread(listen, self._config)
        blocks = ResultBlocks(self._root)
        self._stack.callback(blocks.close)
        await self._stack.enter_async_context(self.metrics.process.measuring())
        app = results_app(self._root, blocks, listener.token, self.metrics.route())
        server = WebServer(app, listener.bound, crowded=CROWDED)
        self._server = await self._stack.enter_async_context(server)
        self.url = listener.url
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ended(self) -> None:
        """Wait until the server ends by itself, or raise what made it."""
        await self._server.ended()
