"""Print the events of the log, those that are stored and those that come, until Ctrl-C.

python tail.py [TYPE...], such as: python tail.py job.completed job.failed
"""

import asyncio
import sys
from contextlib import aclosing, suppress

import events


async def main(types: list[str]) -> None:
    """Print a line for each event of these types; of all, if there are none."""
    async with events.connect() as lota, aclosing(lota.tail(types=types, follow=True)) as tail:
        async for entry in tail:
            job, kind = entry.address.job, entry.address.kind
            print(entry.position, entry.event.time, kind, job, flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1:]))
