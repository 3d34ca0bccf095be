"""A node's process cut down to one executor, so that a test can kill it.

Run as `python -m tests.contracts.run_executor DRIVER ROOT TASK FOLDER`; TASK is JSON. Nothing is
printed: the command itself says on its lifeline that it runs.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from node.executors.port import Task
from tests.contracts.executor_drivers import DRIVERS


def main() -> None:
    """Run the task to its end."""
    driver, root, text, folder = sys.argv[1:]
    task = msgspec.json.decode(text, type=Task, dec_hook=lambda kind, value: kind(value))
    asyncio.run(DRIVERS[driver].make(Path(root)).run(task, Path(folder)))


if __name__ == "__main__":
    main()
