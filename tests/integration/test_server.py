"""The embedded nats-server as a process."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from events.connection import connect
from events.errors import ServerError
from events.jetstream import open_log
from node.server import CONFIG, EmbeddedServer
from node.server_binary import find_server_binary

ROOT = Path(__file__).resolve().parents[2]
PARENT = """
import asyncio, pathlib, sys
from node.server import EmbeddedServer
async def main():
    server = EmbeddedServer(pathlib.Path(sys.argv[1]))
    await server.start()
    print(server.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


def fake_server(folder: Path, version: str) -> str:
    """Put a program that claims to be this nats-server on a search path of its own."""
    folder.mkdir()
    program = folder / "nats-server"
    program.write_text(f"#!/bin/sh\necho 'nats-server: {version}'\n")
    program.chmod(0o755)
    return str(folder)


async def ended(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(handle, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), 10)
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


def test_the_packaged_configuration_is_the_one_on_top() -> None:
    """`nats.conf` for readers and the copy that ships in the wheel are equal."""
    assert CONFIG.read_bytes() == (ROOT / "nats.conf").read_bytes()


async def test_the_configuration_runs_as_it_is() -> None:
    """nats-server itself accepts the file."""
    binary = await find_server_binary()
    command = [str(binary.path), "-c", str(CONFIG), "-t"]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0


async def test_two_servers_side_by_side(tmp_path: Path) -> None:
    """When the wanted port is taken, the server takes another one."""
    async with (
        EmbeddedServer(tmp_path / "one") as one,
        EmbeddedServer(tmp_path / "two", port=one.port) as two,
    ):
        assert one.port != two.port
        for server in (one, two):
            await (await connect(server.url, name="t")).close()


async def test_a_free_port_that_is_wanted_is_taken(tmp_path: Path) -> None:
    """The wanted port is used when nobody else listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with EmbeddedServer(tmp_path, port=port) as server:
        assert server.port == port


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_a_restart_keeps_port_and_log(tmp_path: Path, how: str) -> None:
    """After a stop and after a crash the same log is found at the same address."""
    server = EmbeddedServer(tmp_path)
    await server.start()
    url = server.url
    client = await connect(url, name="t")
    log = await open_log(client)
    await log.append("lota.ev.00.j.g.cli.a.b", b"{}", id="x")
    await getattr(server, how)()
    assert server.pid is None
    await server.start()
    assert server.url == url
    assert await log.last() == 1
    await log.close()
    await client.close()
    await server.stop()
    await server.stop()


async def test_its_own_log_is_kept(tmp_path: Path) -> None:
    """The server's log of each run stays in the folder."""
    for _ in range(2):
        async with EmbeddedServer(tmp_path):
            pass
    assert (tmp_path / "nats.log").read_text().count("Server is ready") == 2


async def test_a_failed_start_shows_the_servers_words(tmp_path: Path) -> None:
    """A server that does not start is an error with the end of its log."""
    config = tmp_path / "bad.conf"
    config.write_text("jetstream { nonsense: 1 }\n")
    server = EmbeddedServer(tmp_path / "store", config=config)
    with pytest.raises(ServerError, match='unknown field "nonsense"'):
        await server.start()
    assert server.pid is None


async def test_a_store_has_one_server(tmp_path: Path) -> None:
    """A store in use is refused: two servers would destroy it."""
    async with EmbeddedServer(tmp_path):
        with pytest.raises(ServerError, match="another nats-server uses the store"):
            await EmbeddedServer(tmp_path, lock_wait_s=0).start()


async def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """When the process that started it is killed, the server ends too."""
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, tmp_path, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    parent.kill()
    await parent.wait()
    await ended(pid)


async def test_ctrl_c_does_not_reach_it(tmp_path: Path) -> None:
    """The server is in a process group of its own: the terminal's signals are for its parent."""
    async with EmbeddedServer(tmp_path) as server:
        assert server.pid is not None
        assert os.getpgid(server.pid) != os.getpgid(0)


async def test_a_server_that_hangs_is_stopped_all_the_same(tmp_path: Path) -> None:
    """When the server does not heed SIGTERM within the grace, it is killed."""
    server = EmbeddedServer(tmp_path)
    await server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    await server.stop(grace_s=0.1)
    assert server.pid is None


async def test_an_installed_server_wins(tmp_path: Path) -> None:
    """A new enough nats-server on PATH is chosen over the wheel's, and it says so."""
    path = fake_server(tmp_path / "bin", "v2.13.1")
    binary = await find_server_binary(path)
    assert binary.path == (tmp_path / "bin" / "nats-server").resolve()
    assert "2.13.1" in str(binary)
    assert "on PATH" in binary.why


@pytest.mark.parametrize("version", ["v2.10.29", "nonsense"])
async def test_an_old_server_is_passed_over(tmp_path: Path, version: str) -> None:
    """An old or strange nats-server on PATH loses to the wheel's, with the reason."""
    path = fake_server(tmp_path / "bin", version)
    binary = await find_server_binary(path)
    assert binary.path.parent != tmp_path / "bin"
    assert f"{tmp_path}/bin/nats-server, is" in binary.why
