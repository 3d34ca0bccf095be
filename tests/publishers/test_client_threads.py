"""Threads of foreign clients at the end of a process; each case has a process of its own."""

import subprocess
import sys

WAITED_FOR = """
import _thread, threading
from publishers.client_threads import let_threads_finish
go_on, in_there, ended = (threading.Lock() for _ in range(3))
for lock in (go_on, in_there, ended):
    lock.acquire()

def work():
    in_there.release()
    go_on.acquire()
    ended.release()

_thread.start_new_thread(work, ())
in_there.acquire()
assert not let_threads_finish(patience_s=0.01)
go_on.release()
ended.acquire()
assert let_threads_finish()
"""

OWN = """
import threading
from publishers.client_threads import let_threads_finish
go_on = threading.Event()
thread = threading.Thread(target=go_on.wait)
thread.start()
assert let_threads_finish(patience_s=0)
go_on.set()
thread.join()
"""


def test_a_foreign_thread_is_waited_for() -> None:
    """A thread that Python did not start is let finish, and no longer than one has patience."""
    subprocess.run([sys.executable, "-c", WAITED_FOR], check=True, timeout=60)


def test_threads_of_ones_own_are_not_waited_for() -> None:
    """Whoever starts a thread in Python sees to its end."""
    subprocess.run([sys.executable, "-c", OWN], check=True, timeout=60)
