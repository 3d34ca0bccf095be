"""Letting the threads of a foreign client finish before the interpreter goes.

obstore gives a result to the event loop from a thread of its own, which still has a step in Python
to do when the loop has the result. A process that ends just then is aborted: the thread asks for an
interpreter that is gone, and the runtime of its language does not survive that. It took one in ten
of commands that read a bucket and ended. So such threads are waited for when the process ends; they
are known by being in the interpreter without Python having started them.
"""

import sys
import threading
import time

PATIENCE_S = 1.0
POLL_S = 0.001


def let_threads_finish(patience_s: float = PATIENCE_S) -> bool:
    """Block until no foreign thread is in the interpreter; say whether it came to that."""
    deadline = time.monotonic() + patience_s
    while _foreign_threads():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


def _foreign_threads() -> set[int]:
    own = {thread.ident for thread in threading.enumerate()}
    return sys._current_frames().keys() - own  # noqa: SLF001 - documented, for the rare need
