"""`lota log archive`: the beginning of the log as a file, and, if told so, only there."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.cli.log_stats import DEFAULT_UNTIL, look
from node.cli.output import note
from node.cli.server import Server, connected_client

if TYPE_CHECKING:
    from nats.aio.client import Client

    from events.errors import WrongUsage
    from events.jetstream import JetStreamLog, LogState, Retention
    from node.archiving import Checked
    from node.survey import Held, Survey


async def archive(
    file: Path,
    /,
    *,
    until: str = DEFAULT_UNTIL,
    drop: Annotated[bool, Parameter(negative=())] = False,
    server: Server | None = None,
) -> None:
    """Move the beginning of the log, up to the oldest open job, to a file that can be read alone.

    The file is written with all blobs that its events name, read back and checked. The server then
    drops what is in it only with --drop, also in a later call with the same file. Positions stay as
    they are. The file is read by --from, and by lota events import.

    Example: lota log archive 2026-11.jsonl.zst --until 30d --drop

    Parameters
    ----------
    file
        The file to write, compressed if it ends in .zst. One that is there already is checked again
        and used, if it holds the beginning of this log.
    until
        Leave in the log what is behind this position, or was stored since this time: 1234,
        2026-11-23T09:00:00Z, 2026-11-23 or 30d (ago).
    drop
        Let the server drop what is in the file.
    """
    from events.errors import WrongUsage
    from events.jetstream import Retention, open_log

    if await asyncio.to_thread(_is_no_file, file):
        raise WrongUsage(f"{file} is no file: an archive is read back", hint="name a file")
    async with connected_client(server) as client:
        retention = Retention(client)
        if await retention.recover():
            note("lota: an archive was broken off and had left the log parked; it is in use again")
        log = await open_log(client)
        try:
            log.require_writable()
            await _Archiving(client, log, retention, file).run(until, drop=drop)
        finally:
            await log.close()


class _Archiving:
    """One call of the command."""

    def __init__(
        self, client: "Client", log: "JetStreamLog", retention: "Retention", file: Path
    ) -> None:
        self._client = client
        self._log = log
        self._retention = retention
        self._file = file

    async def run(self, until: str, *, drop: bool) -> None:
        state = await self._retention.state()
        checked = await self._there(state) if self._file.exists() else None
        if checked is None:
            checked = await self._write(state, until)
        if not drop:
            dropped = checked.reference == state.base
            said = f"the log begins behind it, at position {state.first:,}, already"
            told = "nothing was dropped; the same command with --drop lets the server drop it"
            note(f"lota: {said if dropped else told}")
            return
        await self._drop(state, checked)

    async def _write(self, state: "LogState", until: str) -> "Checked":
        """Say what is to be moved, write it, and read it back."""
        from events.jetstream import open_blobs
        from node.archiving import check_archive, refuse_newer, write_archive
        from node.cli.event_progress import EventProgress

        found = await self._survey(state, until)
        refuse_newer(found.network)
        moved = found.archivable
        if moved.last < moved.first:
            raise nothing_to_archive(found, until)
        note(
            f"lota: positions {moved.first:,} to {moved.last:,} can be archived: {moved.events:,} "
            f"event(s) of {moved.jobs:,} job(s); {moved.stays:,} event(s) stay{_from(found.oldest)}"
        )
        blobs = await open_blobs(self._client)
        with EventProgress("writing", moved.events) as progress:
            done = await write_archive(
                self._client,
                blobs,
                self._file,
                first=moved.first,
                last=moved.last,
                progress=progress.add,
            )
            progress.begin("reading back", moved.events)
            checked = await check_archive(self._file, progress=progress.add)
        for cid in done.missing:
            note(f"lota: blob {cid} is named by an event and not there; the archive is without it")
        self._told(checked)
        return checked

    async def _there(self, state: "LogState") -> "Checked":
        """Check the file that is there already against the log, as far as that still has it."""
        from events.errors import InvalidInput
        from events.jetstream import open_blobs
        from node.archiving import check_archive, compare
        from node.cli.event_progress import EventProgress

        with EventProgress("reading") as progress:
            checked = await check_archive(self._file, progress=progress.add)
        if checked.reference == state.base:
            return checked
        header = checked.header
        base = header.base or None
        if header.first != state.first or base != state.base or header.last >= state.last:
            raise InvalidInput(
                f"{self._file} is there already with positions {header.first} to {header.last}, "
                f"and is no beginning of this log, which has {state.first} to {state.last}",
                hint="choose another file name",
            )
        await self._still_archivable(state, header.last)
        with EventProgress("comparing", checked.events) as progress:
            blobs = await open_blobs(self._client)
            await compare(self._client, blobs, checked, progress=progress.add)
        self._told(checked)
        return checked

    async def _still_archivable(self, state: "LogState", last: int) -> None:
        """A file that somebody else wrote may go further than what is closed."""
        found = await self._survey(state, str(last))
        if (error := in_the_way(found, last)) is not None:
            raise error

    async def _drop(self, state: "LogState", checked: "Checked") -> None:
        from events.errors import LogError
        from events.jetstream import open_blobs
        from node.cli.event_progress import EventProgress

        blobs = await open_blobs(self._client)
        key = await blobs.put(checked.base)
        if await blobs.get(key) != checked.base:
            raise LogError("the base of the log is not what was stored", hint="try again")
        with EventProgress("dropping", checked.events) as progress:
            await self._retention.drop(checked.reference, before=state.base, progress=progress.add)
        now = await self._retention.state()
        note(
            f"lota: the log begins at position {now.first:,} now; the server keeps "
            f"{now.messages:,} event(s), {now.bytes:,} bytes; what was before is in {self._file} "
            "and nowhere else"
        )
        if checked.blobs:
            await self._remove_blobs(now, checked)

    async def _remove_blobs(self, now: "LogState", checked: "Checked") -> None:
        """Remove the archived blobs that nothing names any more; what was put lately stays."""
        from events.jetstream import remove_blobs
        from node.archiving import still_named
        from node.cli.event_progress import EventProgress

        with EventProgress("looking for blobs", now.last - now.first + 1) as progress:
            removed = await remove_blobs(
                self._client,
                checked.blobs,
                named=lambda blobs: still_named(self._log, blobs, progress=progress.add),
            )
        kept = len(checked.blobs) - removed
        note(
            f"lota: {removed:,} of its blob(s) were removed from the server"
            + (
                f"; {kept:,} are named still, were put within the last day, or are gone"
                if kept
                else ""
            )
        )

    async def _survey(self, state: "LogState", until: str) -> "Survey":
        from node.cli.event_progress import EventProgress

        with EventProgress("looking", state.last - state.first + 1) as progress:
            return await look(self._client, self._log, state, until, progress.add)

    def _told(self, checked: "Checked") -> None:
        split = f"; of {checked.split:,} job(s) the last events stay" if checked.split else ""
        note(
            f"lota: {self._file} holds positions {checked.header.first:,} to "
            f"{checked.header.last:,}, {checked.events:,} event(s) and "
            f"{len(checked.blobs):,} blob(s){split}; it was read back and is whole"
        )


def _is_no_file(path: Path) -> bool:
    """Whether what is there under a name is a folder, a pipe or a device."""
    return path.exists() and not path.is_file()


def nothing_to_archive(found: "Survey", until: str) -> "WrongUsage":
    """Return the error that says what stands in the way of the first event."""
    from events.errors import WrongUsage

    first = found.archivable.first
    return in_the_way(found, first) or WrongUsage(
        f"nothing in the log is older than {until}",
        hint=f"it begins at position {first}; say --until with a later point",
    )


def in_the_way(found: "Survey", position: int) -> "WrongUsage | None":
    """Return the error that says why a position cannot be archived; None when it can."""
    from events.errors import WrongUsage

    held, owed = found.oldest, found.owed
    what = f"position {position} cannot be archived"
    if owed is not None and owed.position < position:
        return WrongUsage(
            f"{what}: webhook {owed.webhook} has still to deliver what is behind {owed.position}",
            hint=f"lota webhook describe {owed.webhook} says why; or remove it",
        )
    if held is None or held.position > position:
        return None
    if held.read_by is not None:
        return WrongUsage(
            f"{what}: job {held.read_by} is open and reads the results of {held.job}, which begins "
            f"at position {held.position}",
            hint=f"lota job describe {held.read_by} says what it waits for",
        )
    return WrongUsage(
        f"{what}: job {held.job} is {held.state} and not closed, and begins at {held.position}",
        hint=f"lota job describe {held.job} says why; lota job cancel {held.job} ends it",
    )


def _from(held: "Held | None") -> str:
    if held is None:
        return ""
    if held.read_by is not None:
        return f", from job {held.job} on, of which job {held.read_by} reads the results"
    return f", from job {held.job} on, which is {held.state}"
