"""Publishes in a process of its own, which is killed at one step of it, so that nothing is tidied.

Reads one attempt a line from standard input, as JSON, since credentials are no arguments. For each
it forks, prints the child's process id, and then how the child ended: 0 when it got through.
Without a service in between a step is one event of Python's audit hooks (opening, making,
renaming, listing, locking), and the child kills itself; else whoever is in between kills it.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TextIO

import msgspec

from events.connection import connect
from events.errors import PublishError
from publishers import open_publisher
from publishers.port import Workplace

STEPS = ("open", "os.", "shutil.", "fcntl.", "socket.")


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One publication; `nats_url` is for drivers that use the node's connection."""

    driver: str
    target: str
    credential: dict[str, str]
    workplace: str
    nats_url: str
    result: str
    key: str
    cid: str
    step: int | None = None


def die_at(step: int) -> None:
    """Kill this process when the given number of steps lies behind it."""
    passed = count()

    def hook(event: str, _: tuple[object, ...]) -> None:
        if event.startswith(STEPS) and next(passed) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


async def publish(attempt: Attempt) -> None:
    """Publish as a node does: check, publish, close."""
    client = await connect(attempt.nats_url, name="crash") if attempt.nats_url else None
    workplace = Workplace(Path(attempt.workplace), client)
    publisher = open_publisher(attempt.driver, attempt.target, attempt.credential, workplace)
    await publisher.check()
    await publisher.publish(Path(attempt.result), attempt.key, cid=attempt.cid)
    await publisher.close()
    if client is not None:
        await client.close()


def in_child(attempt: Attempt) -> None:
    """Make the attempt, up to its step, and exit; what is written to stderr tells why."""
    if attempt.step is not None:
        die_at(attempt.step)
    asyncio.run(publish(attempt))
    os._exit(0)


def main(attempts: TextIO) -> None:
    """Fork a child for each attempt."""
    for line in attempts:
        attempt = msgspec.json.decode(line, type=Attempt)
        with suppress(PublishError):  # loads the driver, so that no child has to
            open_publisher(
                attempt.driver, attempt.target, attempt.credential, Workplace(Path(os.devnull))
            )
        child = os.fork()
        if not child:
            try:
                in_child(attempt)
            finally:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
        print(child, flush=True)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(sys.stdin)
