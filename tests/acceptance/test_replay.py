"""`lota replay` as a user would go about it: on `lota dev`, from a file, and key by key."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.acceptance.conftest import Lota
from tests.acceptance.test_jobs import make_letters
from tests.lota_process import LOTA, PATIENCE_S, Machine


class Terminal:
    """A command on a terminal: what it shows, and the keys that are pressed."""

    def __init__(self, far: int, screen: asyncio.StreamReader) -> None:
        self._far = far
        self._screen = screen

    async def shows(self, text: str) -> str:
        """Wait for a text and return all that was shown up to it."""
        async with asyncio.timeout(PATIENCE_S):
            return (await self._screen.readuntil(text.encode())).decode()

    def press(self, keys: str) -> None:
        """Press keys, one after the other."""
        os.write(self._far, keys.encode())


@asynccontextmanager
async def on_terminal(machine: Machine, *words: str | Path) -> AsyncIterator[Terminal]:
    """Run `lota` on a terminal of its own; it ends by itself."""
    far, near = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(LOTA, *words),
        cwd=machine.empty,
        env={**machine.environment, "TERM": "xterm", "COLUMNS": "80"},
        stdin=near,
        stdout=near,
        stderr=near,
        start_new_session=True,
    )
    os.close(near)
    screen = asyncio.StreamReader()
    pipe = os.fdopen(os.dup(far), "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(screen), pipe
    )
    try:
        yield Terminal(far, screen)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        transport.close()
        os.close(far)
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_job_and_its_network_are_replayed(machine: Machine, lota: Lota) -> None:
    """What a network did can be seen as it was, on its server and later from a file alone."""
    make_letters(machine.empty)
    job = (await lota("job", "submit", "letters.yaml")).out.strip()
    assert (await lota("job", "wait", job, "--timeout", "30s")).code == 0
    network = json.loads((await lota("replay", "-o", "json")).out)
    assert network["jobs"]["completed"] == 1
    assert network["events"]["illegal"] == network["events"]["foreign"] == 0
    again = await lota("replay", "--check", "-o", "json")
    checked = json.loads(again.out)
    assert (again.code, checked["same"]) == (0, checked["decisions"]), again.out
    supposed = json.loads((await lota("replay", "--what-if", "over_ask=2", "-o", "json")).out)
    assert (supposed["same"], supposed["otherwise"]) == (checked["decisions"], 0)
    steps = await lota("replay", "--job", job, "--step", "-o", "jsonl")
    told = [json.loads(line) for line in steps.out.splitlines()]
    planned = next(step["position"] for step in told if step["type"] == "job.planned")
    words = ("replay", "--job", job, "--until-position", str(planned), "-o", "json")
    then = json.loads((await lota(*words)).out)
    assert (then["state"], {shard["state"] for shard in then["shards"]}) == ("running", {"offered"})
    exported = await lota("events", "export", "-o", "log.jsonl")
    assert exported.code == 0, exported.err
    there = json.loads((await machine.run(*words, "--from", "log.jsonl")).out)
    assert there == then
    timeline = (await lota("job", "history", job, "--timeline")).out
    assert "1-1" in timeline
    assert max(len(line.rstrip()) for line in timeline.splitlines()) <= 80

    async with on_terminal(machine, "replay", "--step", "--from", "log.jsonl") as terminal:
        first = await terminal.shows("q quit ")
        assert "node.joined" in first
        terminal.press(f"/{job[:8]}\n")
        assert "job.submitted" in await terminal.shows("/JOB, q quit ")
        terminal.press("\n")
        assert "job.planned" in await terminal.shows("/JOB, q quit ")
        terminal.press("b")
        assert "job.submitted" in await terminal.shows("/JOB, q quit ")
        terminal.press("/nothing\n")
        assert "no event of a job nothing follows" in await terminal.shows("end: b back, q quit ")
        terminal.press("q")
