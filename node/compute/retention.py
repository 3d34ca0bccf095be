"""Results of closed jobs are kept for a while, so that they can be fetched; then they go."""

import asyncio
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from events.clock import now_ms
from events.errors import LotaError
from node.compute.memory import NodeMemory

KEPT_MS = 7 * 24 * 3600 * 1000
KEPT_BYTES_MAX = 20 * 1024**3
EVERY_S = 600.0

log = logging.getLogger(__name__)


async def expire_results(memory: NodeMemory, folder: Callable[[str], Path]) -> None:
    """Drop, now and every ten minutes, what is older than a week or more than 20 GiB in all.

    `folder` names where an execution's result lies. Nothing of an open job is touched.
    """
    while True:
        try:
            while executions := await memory.expire(now_ms() - KEPT_MS, KEPT_BYTES_MAX):
                for execution in executions:
                    await asyncio.to_thread(shutil.rmtree, folder(execution), ignore_errors=True)
                await memory.removed(executions)
        except LotaError as error:
            log.warning("results could not be expired: %s", error)
        await asyncio.sleep(EVERY_S)
