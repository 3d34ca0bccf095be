"""Run a command for each job that fails, also for those that fail while this program is not there.

python notify.py FILE COMMAND..., such as: python notify.py ~/.lota-seen notify-send

What is to be said is the command's last argument. FILE keeps how far the log was read, the first
time from now on. It is written behind each command, so that after a crash a job may be told of
twice, and none is left out.
"""

import asyncio
import sys
from contextlib import aclosing, suppress
from pathlib import Path

import events
from events.decisions import JobFailed


async def main(file: Path, command: list[str]) -> None:
    """Follow the failures of jobs, for ever."""
    async with events.connect() as lota:
        since = await next_position(lota, file)
        print("from position", since, "on", flush=True)
        failures = lota.tail(types=["job.failed"], since=since, follow=True)
        async with aclosing(failures):
            async for entry in failures:
                if isinstance(entry.event, JobFailed):
                    text = f"job {entry.address.job} failed: {entry.event.data.reason}"
                    await (await asyncio.create_subprocess_exec(*command, text)).wait()
                file.write_text(str(entry.position + 1))


async def next_position(lota: events.Lota, file: Path) -> int:
    """Return where to go on: as the file says, or behind what is stored now."""
    if not file.exists():
        file.write_text(str(await lota.position() + 1))
    return int(file.read_text())


if __name__ == "__main__":
    if not sys.argv[2:]:
        sys.exit(__doc__)
    with suppress(KeyboardInterrupt):
        asyncio.run(main(Path(sys.argv[1]), sys.argv[2:]))
