"""The API that `benchmarks.sse` follows, over a log in memory, in a process of its own.

Prints its URL. For each number on stdin it appends so many events, and prints how much memory it
has, in KiB, and how much of the processor it has had, in ms. It ends when stdin does.
"""

import asyncio
import resource
import sys
import time
from pathlib import Path

from events.codec import encode, kind
from events.ids import new_id
from events.memory import MemoryLog
from events.requests import CancelRequested, CancelRequestedData
from events.subjects import subject
from node.observer.observer import Observer
from node.web.access import Access
from node.web.api.serving import ServedApi
from node.web.api.shared import Api
from node.web.listening import listen_for_pages
from node.web.rates import Rate

OFTEN = Rate(burst=100_000, per_s=100_000)
BATCH = 20
"""So many come at one time, as they do from a busy server."""
REASON = "x" * 200
"""An event takes half a kilobyte, as most do."""


async def no_times(_: int) -> int:
    """Stand for a log that keeps no times."""
    return 1


def append(log: MemoryLog) -> None:
    """Append one event."""
    name = new_id()
    event = CancelRequested(
        id=name,
        source="/lota/g/bench",
        subject="job",
        time="2026-11-30T00:00:00.000Z",
        causationid=name,
        data=CancelRequestedData(reason=REASON),
    )
    log.append_now(subject("job", "g", "bench", kind(event)), encode(event), id=name)


def memory_kib() -> int:
    """Return how much memory this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() // 1024


async def serve(folder: Path) -> None:
    """Serve until stdin ends."""
    log = MemoryLog()
    append(log)
    listener = listen_for_pages("127.0.0.1:0", scheme="http", open_to_all=True)
    async with (
        Observer.open(log, folder, no_times) as observer,
        ServedApi(Api(observer), Access(rate=OFTEN), listener.bound),
    ):
        print(listener.url, flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            for number in range(int(line)):
                append(log)
                if number % BATCH == BATCH - 1:
                    await asyncio.sleep(0)
            print(memory_kib(), int(1000 * time.process_time()), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
