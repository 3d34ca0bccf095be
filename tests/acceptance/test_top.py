"""`lota top` on a network that works: once for scripts, and live on a terminal."""

import asyncio
import fcntl
import json
import os
import pty
import struct
import termios
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.acceptance.conftest import Lota
from tests.lota_process import LOTA, PATIENCE_S, Machine, Running

LEFT_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A terminal of 30 lines and 120 columns, and what was drawn on it."""

    def __init__(self) -> None:
        self.far, self.near = pty.openpty()
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
        self.drawn = b""
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.far, self._read)

    def _read(self) -> None:
        try:
            self.drawn += os.read(self.far, 1 << 16)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.far)
        self._more.set()

    async def until(self, *parts: str) -> None:
        """Wait until all of these have been drawn."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(part.encode() in self.drawn for part in parts):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"no {parts} in {self.drawn.decode()}") from None

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.far)
        os.close(self.far)
        os.close(self.near)


@asynccontextmanager
async def watching(machine: Machine) -> AsyncIterator[tuple[Terminal, asyncio.subprocess.Process]]:
    """Run `lota top` on a terminal of its own."""
    terminal = Terminal()
    process = await asyncio.create_subprocess_exec(
        *(LOTA, "top"),
        cwd=machine.empty,
        env={**machine.environment, "TERM": "xterm"},
        stdin=terminal.near,
        stdout=terminal.near,
        stderr=terminal.near,
        start_new_session=True,
    )
    try:
        yield terminal, process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        terminal.close()


async def test_once_is_a_document(dev: Running, lota: Lota) -> None:
    """For scripts there is a document of nodes, series and the last ten events, newest last."""
    assert (await lota("run", "--replicas", "2", "--", "true")).code == 0
    ran = await lota("top", "--once", "-o", "json")
    assert ran.code == 0, ran.err
    view = json.loads(ran.out)
    assert {node["name"]: node["state"] for node in view["nodes"]}["node-1"] == "live"
    assert sum(node["won"] for node in view["nodes"]) == 2
    assert sum(node["agreed"] for node in view["nodes"]) == 2
    assert view["jobs"] == {"submitted": 0, "running": 0}
    assert sum(view["series"]["jobs.completed"]) * view["series"]["step_s"] == 1
    events = [event["position"] for event in view["events"]]
    assert events == list(range(view["position"] - 9, view["position"] + 1))
    assert view["events"][-1]["type"] in ("job.completed", "job.closed")


async def test_behind_a_pipe_it_is_shown_once(dev: Running, lota: Lota) -> None:
    """Where stdout is no terminal, the screen is printed once, plain."""
    ran = await lota("top")
    assert ran.code == 0, ran.err
    assert "node-1" in ran.out
    assert "events/s" in ran.out
    assert "\x1b" not in ran.out


async def test_live_until_a_key(dev: Running, lota: Lota, machine: Machine) -> None:
    """On a terminal a job shows when it comes, and q gives the terminal back."""
    async with watching(machine) as (terminal, process):
        await terminal.until("node-1", "node.joined")
        ran = await lota("run", "--name", "seen", "--", "true")
        assert ran.code == 0, ran.err
        await terminal.until("job.submitted", "job.completed", "process: true")
        os.write(terminal.far, b"q")
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
        await terminal.until(LEFT_SCREEN.decode())
    assert b"Traceback" not in terminal.drawn


async def test_ctrl_c_ends_it(dev: Running, machine: Machine) -> None:
    """Ctrl-C leaves as quietly, with the exit code of an interrupted command."""
    async with watching(machine) as (terminal, process):
        await terminal.until("node-1")
        process.send_signal(2)
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 130
        await terminal.until(LEFT_SCREEN.decode())
    assert b"Traceback" not in terminal.drawn
