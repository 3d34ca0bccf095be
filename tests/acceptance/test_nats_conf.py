"""The `nats.conf` at the top of the repository, as somebody would run it by hand."""

import asyncio
from pathlib import Path

from events.connection import connect
from events.jetstream import open_log
from node.server_binary import find_server_binary

ROOT = Path(__file__).resolve().parents[2]


async def test_the_configuration_serves_a_log(tmp_path: Path) -> None:
    """nats-server starts with that file alone but for a free port, and a log can be kept there."""
    binary = await find_server_binary()
    process = await asyncio.create_subprocess_exec(
        binary.path, "-c", ROOT / "nats.conf", "-p", "-1", "--ports_file_dir", tmp_path,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        url = ""
        async for line in process.stderr:
            if b"Listening for client connections on " in line:
                url = "nats://" + line.decode().split()[-1]
            if b"Server is ready" in line:
                break
        client = await connect(url, name="test")
        log = await open_log(client)
        assert await log.append("lota.ev.00.j.g.cli.a.b", b"{}", id="x") == 1
        await log.close()
        await client.close()
    finally:
        process.terminate()
        await process.communicate()
    assert url.startswith("nats://127.0.0.1:")
    assert (tmp_path / "nats-data").is_dir()
