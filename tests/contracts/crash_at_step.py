"""Publishes again and again, killed at each step in turn: at the first, the second, and so on.

A step is one event of Python's audit hooks: opening, making, renaming, listing, locking, sending.
Each try has a target of its own, `<base>/<step>`, and ends by SIGKILL, so nothing is tidied up.
Run as `python -m tests.contracts.crash_at_step DRIVER BASE RESULT CID`; prints the steps.
"""

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path

from publishers import open_publisher
from publishers.port import Workplace

KEY = "job/0"
STEPS = ("open", "os.", "shutil.", "fcntl.", "socket.")


def die_at(step: int) -> None:
    """Kill this process when the given number of steps lies behind it."""
    passed = count()

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event.startswith(STEPS) and next(passed) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


async def publish(driver: str, target: str, result: Path, cid: str) -> None:
    """Publish as a node does: check, publish, close."""
    publisher = open_publisher(driver, target, {}, Workplace(Path(target)))
    await publisher.check()
    await publisher.publish(result, KEY, cid=cid)
    await publisher.close()


def main(driver: str, base: str, result: str, cid: str) -> None:
    """Fork a child for each step, until one gets through."""
    for step in count():
        child = os.fork()
        if not child:
            die_at(step)
            asyncio.run(publish(driver, f"{base}/{step}", Path(result), cid))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            print(step)
            sys.exit(os.WEXITSTATUS(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
