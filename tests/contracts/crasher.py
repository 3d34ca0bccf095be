"""Lets other processes publish, and kills them on the way."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Self

import msgspec

from tests.contracts.crash_at_step import Attempt
from tests.contracts.places import Place

REPOSITORY = Path(__file__).parents[2]
HOST = "127.0.0.1"
TIMEOUT_S = 30.0


class Crasher:
    """Publishes to one place, each time by a process of its own."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._child = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.contracts.crash_at_step",
            cwd=REPOSITORY,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self.kill()
        self._server.stdin.close()
        await self._server.wait()

    async def publish(
        self, result: Path, key: str, cid: str, *, port: int | None, step: int | None = None
    ) -> bool:
        """Publish by way of a port of this host; return False when the process was killed."""
        place = self._place
        uses_client = place.workplace.client is not None
        attempt = Attempt(
            driver=place.driver,
            target=place.target,
            credential=place.credential if port is None else place.via(port),
            workplace=str(place.workplace.folder),
            nats_url=f"nats://{HOST}:{port}" if uses_client else "",
            result=str(result),
            key=key,
            cid=cid,
            step=step,
        )
        assert self._server.stdin is not None
        self._server.stdin.write(msgspec.json.encode(attempt) + b"\n")
        self._child = await self._number()
        ended = await self._number()
        self._child = 0
        assert ended in {0, -signal.SIGKILL}, f"{place.driver} ended with {ended}"
        return ended == 0

    def kill(self) -> None:
        """End the process that publishes, if there is one, as a crash would."""
        if self._child:
            with suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)

    async def _number(self) -> int:
        assert self._server.stdout is not None
        async with asyncio.timeout(TIMEOUT_S):
            return int(await self._server.stdout.readline())
