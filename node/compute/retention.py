"""Results of closed jobs are kept for a while, so that they can be fetched; then they go."""

import asyncio
import logging
import re
import stat
from pathlib import Path

from events.clock import now_ms
from events.errors import LotaError
from node.compute.memory import NodeMemory
from node.executors.removal import remove_tree

KEPT_MS = 7 * 24 * 3600 * 1000
KEPT_BYTES_MAX = 20 * 1024**3
STRAY_MS = 31 * 24 * 3600 * 1000
"""Older than any execution that may still run."""
EVERY_S = 600.0

_EXECUTION = re.compile(r".+-\d+-\d+")

log = logging.getLogger(__name__)


async def expire_results(memory: NodeMemory, results: Path) -> None:
    """Drop, now and every ten minutes, what is older than a week or more than 20 GiB in all.

    `results` holds a folder for each execution. Nothing of an open job is touched. What a crash or
    the loss of the database left there is dropped once, when it is old enough.
    """
    try:
        await clear_strays(memory, results, now_ms() - STRAY_MS)
    except (LotaError, OSError) as error:
        log.warning("old results that nothing names could not be removed: %s", error)
    while True:
        try:
            while executions := await memory.expire(now_ms() - KEPT_MS, KEPT_BYTES_MAX):
                for execution in executions:
                    await asyncio.to_thread(remove_tree, results / execution)
                await memory.removed(executions)
        except LotaError as error:
            log.warning("results could not be expired: %s", error)
        await asyncio.sleep(EVERY_S)


async def clear_strays(memory: NodeMemory, results: Path, older_than_ms: int) -> None:
    """Remove the results from before a time that the node's memory does not name.

    What is no execution's folder is somebody else's, and stays.
    """
    known = await memory.folders()
    for folder in await asyncio.to_thread(_older, results, older_than_ms):
        if folder.name not in known:
            log.info("removing the result of %s, which nothing names any more", folder.name)
            await asyncio.to_thread(remove_tree, folder)


def _older(results: Path, than_ms: int) -> list[Path]:
    if not results.exists():
        return []
    folders = (path for path in results.iterdir() if _EXECUTION.fullmatch(path.name))
    return [path for path in folders if _is_older(path, than_ms)]


def _is_older(path: Path, than_ms: int) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:  # a run that failed has just taken it away
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_mtime * 1000 < than_ms
