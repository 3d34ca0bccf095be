"""Runs the `lotus` executable of the node's operator.

A child gets PATH, HOME and where the daemon is, and nothing else of our environment. The secret of
`api_info` goes there too, since every user of the machine can read arguments. A command with no
arguments would ask questions on a terminal, so none is run that way and there is no input.
"""

import asyncio
import os
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from events.errors import PublishError
from publishers.lotus_deal import (
    Deal,
    Imported,
    Listed,
    read_deal,
    read_deals,
    read_imports,
    unreadable,
)

QUERY_S = 60.0
IMPORT_S = 3600.0
"""The daemon reads the whole CAR to index it."""
RETRIEVE_S = 24 * 3600.0
_SHOWN = 200

_AWAY = ("could not get API info", "API not running", "connection refused", "no endpoint")
_REMOVED = "No help topic"
_VERSIONS_HINT = "Name a lotus of v1.27.0 or before in the credential's field 'executable'"
_REFUSED = ("401", "Unauthorized", "missing permission", "bad handshake", "JWT")
_CUT_OFF = ("RPC", "websocket", "connection", "EOF", "context canceled", "deadline", "timeout")


class LotusCli:
    """One daemon, reached as the credential says; every method raises `PublishError`."""

    def __init__(self, credential: Mapping[str, str]) -> None:
        self.executable = credential.get("executable") or "lotus"
        self._secret = credential.get("api_info", "")
        self._environment = {
            name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ
        }
        if credential.get("path"):
            self._environment["LOTUS_PATH"] = credential["path"]
        if self._secret:
            self._environment["FULLNODE_API_INFO"] = self._secret

    async def wallet(self) -> str:
        """Return the default address; it is empty when there is no wallet."""
        return (await self._run("wallet", "default")).strip()

    async def import_car(self, path: Path) -> str:
        """Have the daemon note a CAR, which it will read at transfer time; return its root."""
        printed = await self._run("client", "import", "--car", "-q", str(path), timeout_s=IMPORT_S)
        return printed.strip()

    async def imports(self) -> list[Imported]:
        """Return the CARs that the daemon has noted."""
        return read_imports(await self._run("client", "local"))

    async def drop(self, number: str) -> None:
        """Have the daemon forget an import."""
        await self._run("client", "drop", number)

    async def deal(self, proposal: str) -> Deal:
        """Ask how a deal stands."""
        deal = read_deal(await self._run("client", "get-deal", proposal))
        if deal.proposal != proposal:
            raise unreadable("get-deal", deal.proposal)
        return deal

    async def deals(self) -> list[Listed]:
        """Return all deals that the daemon ever made, failed ones too."""
        return read_deals(await self._run("client", "list-deals", "-v", "--show-failed"))

    async def retrieve(self, miner: str, cid: str, path: Path) -> None:
        """Have the daemon fetch a DAG from the provider into a CAR file; it never pays for it."""
        free = ("--maxPrice", "0")
        command = ("client", "retrieve", "--car", "--provider", miner, *free, cid, str(path))
        await self._run(*command, timeout_s=RETRIEVE_S)

    def start_deal(
        self, arguments: list[str], answer: int, complaint: int, lock: int
    ) -> "asyncio.Future[int]":
        """Start `client deal`, and return what its exit code will be.

        It outlives this process, with its output in the files `answer` and `complaint` and with
        `lock` held for as long as it runs; nothing here ever ends it. Raises when it surely did
        not start.
        """
        try:
            process = subprocess.Popen(
                [self.executable, "client", "deal", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=complaint,
                env=self._environment,
                pass_fds=(lock,),
                start_new_session=True,
            )
        except OSError as error:
            raise self._not_started(error) from error
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[int] = loop.create_future()

        def tell(code: int) -> None:
            if not ended.done():
                ended.set_result(code)

        def wait() -> None:
            code = process.wait()
            with suppress(RuntimeError):  # the loop has ended: the files tell the next life
                loop.call_soon_threadsafe(tell, code)

        # Not asyncio's own: that one kills its children when the loop is closed.
        threading.Thread(target=wait, name="lotus client deal", daemon=True).start()
        return ended

    def said(self, complaint: str) -> str:
        """Return the start of what the command printed as its error, without our secret."""
        token = self._secret.partition(":")[0]
        for secret in filter(None, (self._secret, token)):
            complaint = complaint.replace(secret, "***")
        return " ".join(complaint.removeprefix("ERROR:").split())[:_SHOWN]

    def failure(self, command: str, complaint: str) -> PublishError:
        """Say what it means that a command ended with an error."""
        said = self.said(complaint)
        what = f"`lotus {command}` failed: {said or 'it said nothing'}"
        if _REMOVED in complaint:
            return PublishError("not-installed", what, permanent=True, hint=_VERSIONS_HINT)
        if any(word in complaint for word in _REFUSED):
            return PublishError(
                "refused",
                what,
                permanent=True,
                hint="Check the token in the credential's field 'api_info'",
            )
        if any(word in complaint for word in _AWAY):
            return PublishError("unreachable", what, hint="Start the lotus daemon")
        return PublishError("lotus-failed", what, hint="Run it by hand to see more")

    def _not_started(self, error: OSError) -> PublishError:
        """Say that there is no such executable."""
        return PublishError(
            "not-installed",
            f"{self.executable!r} cannot be run: {error.strerror}",
            permanent=True,
            hint=_VERSIONS_HINT,
        )

    async def _run(self, *arguments: str, timeout_s: float = QUERY_S) -> str:
        """Run a command that may be repeated at will, and return what it printed."""
        name = " ".join(arguments[:2])
        try:
            process = await asyncio.create_subprocess_exec(
                self.executable,
                *arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            raise self._not_started(error) from error
        try:
            async with asyncio.timeout(timeout_s):
                printed, complaint = await process.communicate()
        except TimeoutError:
            raise PublishError(
                "timeout",
                f"`lotus {name}` did not end in {timeout_s:.0f} s",
                hint="Check that the lotus daemon is in sync",
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise self.failure(name, complaint.decode("utf-8", "replace"))
        return printed.decode("utf-8", "replace")


def cut_off(complaint: str) -> bool:
    """Whether an error may come from the way to the daemon, which then may still be at work."""
    return not complaint.startswith("ERROR:") or any(word in complaint for word in _CUT_OFF)
