"""Asking the log, and what lies beside it, from within work that must not fail on its account."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from events.errors import AppendTimeout, LogUnavailable

RETRY_S = 0.2

T = TypeVar("T")

log = logging.getLogger(__name__)


async def answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer, which is returned; `ask` must be free to repeat.

    A server that is away fails no execution and no publication: their tries are counted, and
    whoever awarded them is waiting for the same server.
    """
    while True:
        try:
            return await ask()
        except (LogUnavailable, AppendTimeout) as error:
            log.warning("waiting for the server: %s", error)
            await asyncio.sleep(RETRY_S)
