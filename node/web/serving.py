"""Serving results as one part of a node: from the bound socket to the last answer."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from node.config import ServeConfig
from node.web.blocks import ResultBlocks
from node.web.listening import listen
from node.web.results import CROWDED, results_app
from node.web.server import WebServer


class ServedResults:
    """`async with` serves what lies below `root`.

    Raises `WrongUsage` when it cannot be served as configured.
    """

    url = ""
    """Under which the others reach it."""

    def __init__(self, config: ServeConfig, root: Path) -> None:
        self._config = config
        self._root = root
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        listener = await asyncio.to_thread(listen, self._config)
        blocks = ResultBlocks(self._root)
        self._stack.callback(blocks.close)
        app = results_app(self._root, blocks, listener.token)
        server = WebServer(app, listener.bound, crowded=CROWDED)
        self._server = await self._stack.enter_async_context(server)
        self.url = listener.url
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def ended(self) -> None:
        """Wait until the server ends by itself, or raise what made it."""
        await self._server.ended()
