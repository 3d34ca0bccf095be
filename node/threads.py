"""Threads enough for what blocks: hashing and copying a large result may take one for minutes."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from weakref import WeakSet

THREADS = 64
"""What takes long is bounded where it begins: executions by the node's width, publications by eight
a credential. The rest takes a moment each, and must not wait for it. The loop's own default is
four more than there are cores. Threads are made when all others are taken."""

_given: WeakSet[asyncio.AbstractEventLoop] = WeakSet()


def give_threads() -> None:
    """Give the running loop threads enough for a node; safe to repeat, since nodes share them."""
    loop = asyncio.get_running_loop()
    if loop not in _given:
        _given.add(loop)
        loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="node"))
