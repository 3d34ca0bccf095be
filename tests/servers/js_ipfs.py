"""js-ipfs from npm: a real IPFS node with Kubo's RPC, offline, for the tests of the driver `ipfs`.

`python -m tests.servers.js_ipfs` installs it beside the virtual environment's packages, at the
exact versions of js_ipfs_package/package-lock.json; `make` does that once where there is npm. The
project is archived, so it never changes; how it differs from Kubo is told in kubo_shapes.py.
"""

import atexit
import json
import subprocess
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.servers.npm_package import NpmPackage

SOURCES = Path(__file__).with_name("js_ipfs_package")
PACKAGE = NpmPackage("js_ipfs", SOURCES, use="the tests of the driver 'ipfs' against js-ipfs")


class JsIpfs:
    """The process in which nodes are started; its own end ends them all."""

    def __init__(self) -> None:
        program = (SOURCES / "server.mjs").read_text(encoding="utf-8")
        self._turn = threading.Lock()
        self._process = subprocess.Popen(
            ["node", "--input-type=module", "--eval", program],
            cwd=PACKAGE.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self, folder: Path) -> int:
        """Start a node whose blocks are in `folder`; return the port of its RPC. Blocks."""
        return int(self._ask({"start": str(folder)})["port"])

    def stop(self, port: int) -> None:
        """Stop one node. Blocks."""
        self._ask({"stop": port})

    def close(self) -> None:
        """End the process, which ends with its standard input. Blocks."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it has died before
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(command) + "\n")
            answer = self._process.stdout.readline()
        assert answer, "js-ipfs has died: its last words are on standard error"
        said: dict[str, Any] = json.loads(answer)
        return said


@cache
def js_ipfs() -> JsIpfs:
    """Return the process of this test process; skip, or with LOTA_REQUIRE_SERVICES=1 fail."""
    PACKAGE.require(__name__)
    server = JsIpfs()
    atexit.register(server.close)
    return server


if __name__ == "__main__":
    PACKAGE.install()
