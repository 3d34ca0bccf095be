"""`lota` in a process that is killed at one step of what it does below a folder.

Run as `python -m tests.integration.dying_node FOLDER STEP WORDS...`. A step is one event of
Python's audit hooks (opening, making, renaming, listing) that names something in the folder; a
step below 0 is never come to.
"""

import os
import signal
import sys
from itertools import count

from node.cli.main import main

STEPS = ("open", "os.", "shutil.")


def die_at(step: int, folder: str) -> None:
    """Kill this process when the given number of steps lies behind it."""
    passed = count()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not event.startswith(STEPS) or not any(_below(one, folder) for one in arguments):
            return
        if next(passed) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _below(argument: object, folder: str) -> bool:
    if isinstance(argument, bytes):
        argument = os.fsdecode(argument)
    return isinstance(argument, (str, os.PathLike)) and str(argument).startswith(folder)


if __name__ == "__main__":
    die_at(int(sys.argv[2]), sys.argv[1])
    sys.exit(main(sys.argv[3:]))
