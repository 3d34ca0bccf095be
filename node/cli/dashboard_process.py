"""The dashboard of `lota dev`, in a process of its own.

What follows the log and answers browsers would take its time from the event loop of the nodes: jobs
that do nothing went through at two thirds of their rate. A process of low priority takes what the
network leaves; it ends with this one, however that ends, as its input does.

Its environment is made by an allow-list. Secrets come by its input, once it has said that no other
process of this user can look into it: the kernel shows the environment of a new one to all of them.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from node.cli.output import note
from node.credentials import Credentials
from node.results.token import TOKEN_VARIABLE

STOP_S = 5.0

PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "NO_PROXY", "no_proxy"),
    *("LOTA_LOG", "LOTA_IPFS_GATEWAY", "LOTA_RESULTS_TOKEN_FILE"),
)
"""All of this process's environment that the dashboard has in its own."""

TOLD = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("LOTA_UI_TOKEN_READ", "LOTA_UI_TOKEN_SUBMIT", "LOTA_UI_TOKEN_ADMIN", TOKEN_VARIABLE),
)
"""What else the dashboard reads of it: each may be a secret, or hold one."""

CONCEALED = "?"
"""The line by which the dashboard asks for its secrets."""


class Told(msgspec.Struct):
    """What comes by the dashboard's input, as a line of JSON: the variables and the folder of its
    credentials, and other secrets of its environment.
    """

    variables: dict[str, str]
    folder: str | None
    others: dict[str, str]


@asynccontextmanager
async def dashboard_process(
    url: str,
    folder: Path,
    port: int | None,
    credentials: Credentials | None = None,
    allow_paths: Sequence[str] = (),
) -> AsyncIterator[None]:
    """Serve the dashboard of a server's log meanwhile; say where, or why there is none.

    Published results are read with `credentials`, and jobs that come over HTTP may name files below
    `allow_paths`.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "node.cli.dashboard_child", url, str(folder)),
        *([] if port is None else ["--port", str(port)]),
        *(f"--allow-path={path}" for path in allow_paths),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=_of_environment(PASSED_ON),
        # Not a session of its own: systems that share by sessions would not heed its priority.
        process_group=0,
    )
    telling = asyncio.ensure_future(_tell(process, _told(credentials or Credentials())))
    try:
        yield
    finally:
        telling.cancel()
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _of_environment(names: Sequence[str]) -> dict[str, str]:
    return {name: os.environ[name] for name in names if name in os.environ}


def _told(credentials: Credentials) -> bytes:
    folder = str(credentials.folder) if credentials.folder is not None else None
    told = Told(credentials.variables, folder, _of_environment(TOLD))
    return msgspec.json.encode(told) + b"\n"


async def _tell(process: asyncio.subprocess.Process, told: bytes) -> None:
    """Give the process its secrets, say what it says, and when it ends by itself."""
    assert process.stdout is not None
    assert process.stdin is not None
    line = (await process.stdout.readline()).decode().strip()
    if line == CONCEALED:
        process.stdin.write(told)
        line = (await process.stdout.readline()).decode().strip()
    if line.startswith("!"):
        note(f"lota: there is no dashboard: {line.removeprefix('!').strip()}")
        return
    if line:
        note(f"The dashboard is {line}")
    await process.wait()
    note("lota: the dashboard has ended; the network goes on without it")
