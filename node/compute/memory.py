"""A compute node's own memory: what it must know again after a crash and no log can tell it.

A repeated award finds its claim here and starts nothing. A row in `jobs` is what makes the
executions of a job worth recalling; without it they are results alone, kept until they expire.

Writes of one turn of the loop go in as one commit, and while that is under way the next gather.
Each commit reaches the disk: a proposal must never be all that is left of a result.
"""

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiosqlite
import msgspec

from events.items import Claim
from events.log import Readable
from events.marks import Mark
from events.recognition import recognise
from node.compute.memory_rows import Batch, ExecutionRow, JobRow, Recalled, Stored
from projections.database import (
    ROWS_PER_STATEMENT,
    Kind,
    delete,
    insert,
    naming,
    open_database,
    transaction,
)
from publishers.port import SmallResult

EXPIRED_MAX = 1_000
"""Results that are looked at together when they expire."""
FORGET_S = 1.0
REMEDY = (
    "Start this node with the server that it belongs to. If that log is gone for good, move"
    " {folder} away, with the results in it, or delete it: the node then begins anew"
)

log = logging.getLogger(__name__)

KIND = Kind(
    name="a compute node's memory",
    application_id=0x4C4F544D,  # "LOTM"
    version=2,
    schema="""
        CREATE TABLE IF NOT EXISTS node (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            secret BLOB NOT NULL,
            recalled INTEGER NOT NULL
        );
        CREATE TABLE IF NOT EXISTS jobs (
            job TEXT PRIMARY KEY, met_ms INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS results (
            execution TEXT PRIMARY KEY,
            job TEXT NOT NULL,
            finished_ms INTEGER NOT NULL,
            size_bytes INTEGER NOT NULL,
            folder INTEGER NOT NULL,
            cid TEXT NOT NULL,
            dag_size_bytes INTEGER NOT NULL,
            exit_code INTEGER NOT NULL,
            fuel INTEGER,
            stdout BLOB,
            stderr BLOB
        );
        CREATE INDEX IF NOT EXISTS results_of_job ON results (job);
        CREATE INDEX IF NOT EXISTS results_by_age ON results (finished_ms, job, size_bytes);
        CREATE TABLE marks (
            one INTEGER PRIMARY KEY CHECK (one = 1), latest BLOB NOT NULL, anchor BLOB NOT NULL
        )
    """,
    sync="FULL",
    remedy="Move the file away: the node then takes up its jobs from the log and runs again what"
    " it has no claim of",
)

_JOB = "INSERT OR IGNORE INTO jobs (job, met_ms)"
_RESULT = (
    "INSERT OR IGNORE INTO results (execution, job, finished_ms, size_bytes, folder, cid,"
    " dag_size_bytes, exit_code, fuel, stdout, stderr)"
)
_MARK = "INSERT OR REPLACE INTO marks (one, latest, anchor)"
_MARKS = "SELECT latest, anchor FROM marks"
_CLAIMS = (
    "SELECT execution, cid, dag_size_bytes, exit_code, fuel FROM results JOIN jobs USING (job)"
)
_FOLDERS = "SELECT execution FROM results WHERE folder"
_HELD = "SELECT coalesce(sum(size_bytes), 0) FROM results WHERE job NOT IN (SELECT job FROM jobs)"
_OLDEST = (
    "SELECT execution, folder, finished_ms, size_bytes FROM results"
    " WHERE job NOT IN (SELECT job FROM jobs) ORDER BY finished_ms LIMIT ?"
)
_DROP = "DELETE FROM results WHERE job NOT IN (SELECT job FROM jobs) AND execution"


class _Group:
    """What is written with the next commit."""

    def __init__(self) -> None:
        self.jobs: list[JobRow] = []
        self.executions: list[ExecutionRow] = []
        self.forgotten: list[str] = []
        self.stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class NodeMemory:
    """The database of one compute node. `secret` makes its nonces and never leaves it."""

    def __init__(self, path: Path, connection: aiosqlite.Connection, secret: bytes) -> None:
        self.secret = secret
        self._path = path
        self._connection = connection
        self._group: _Group | None = None
        self._writing: asyncio.Task[None] | None = None
        self._forgotten: list[str] = []
        self._forgetting: asyncio.TimerHandle | None = None
        self._anchor: Mark | None = None

    @classmethod
    async def open(cls, path: Path) -> "NodeMemory":
        """Open the memory at `path`, or begin one. Raises DatabaseUnusable."""
        connection = await open_database(path, KIND)
        try:
            with naming(path, KIND):
                await connection.execute(
                    "INSERT OR IGNORE INTO node VALUES (1, ?, 0)", (os.urandom(32),)
                )
                async with connection.execute("SELECT secret FROM node") as cursor:
                    (row,) = await cursor.fetchall()
        except BaseException:
            await connection.close()
            raise
        return cls(path, connection, row[0])

    async def close(self) -> None:
        """Write what was saved, and close the file; safe to repeat."""
        self._forget_now()
        if self._writing is not None:
            await asyncio.wait((self._writing,))
        await self._connection.close()

    # The log

    async def require(self, events_log: Readable) -> None:
        """Raise AnotherLog, before anything is done, unless it is this log that the rows are about.

        A log that lost its end, or of which the beginning was archived, is: jobs that it does not
        know are over. Raises LogError when it cannot be read.
        """
        with naming(self._path, KIND):
            marks = await self._all(_MARKS)
        for row in marks:
            latest, anchor = (msgspec.json.decode(mark, type=Mark) for mark in row)
            remedy = REMEDY.format(folder=self._path.parent)
            keeps = str(self._path)
            found, self._anchor = await recognise(
                events_log, latest, anchor, keeps=keeps, remedy=remedy
            )
            if found == "differs":
                log.warning("the log has lost its %s, which %s was made with", latest, keeps)

    async def note(self, mark: Mark) -> None:
        """Keep a mark of the log; the next `require` compares it. Raises DatabaseUnusable."""
        anchor = self._anchor = self._anchor or mark
        row = (1, msgspec.json.encode(mark), msgspec.json.encode(anchor))
        with naming(self._path, KIND):
            await insert(self._connection, _MARK, [row])

    # Writing

    async def save(self, batch: Batch) -> None:
        """Write rows; when this returns they outlive the process and the machine's power.

        What is there already stays as it was: the first word about an execution counts.
        Raises DatabaseUnusable, and then nothing of the batch may be relied on.
        """
        group = self._next()
        group.jobs += batch.jobs
        group.executions += batch.executions
        await asyncio.shield(group.stored)

    def forget(self, job: str) -> None:
        """Let go of a closed job, with the next commit or within a second; a crash costs a look-up.

        Results of its executions stay until they expire.
        """
        self._forgotten.append(job)
        if self._forgetting is None:
            loop = asyncio.get_running_loop()
            self._forgetting = loop.call_later(FORGET_S, self._forget_now)

    def _forget_now(self) -> None:
        if self._forgotten:
            self._next().stored.add_done_callback(_report)

    def _next(self) -> _Group:
        if self._group is None:
            self._group = _Group()
        self._group.forgotten += self._forgotten
        self._forgotten.clear()
        if self._forgetting is not None:
            self._forgetting.cancel()
            self._forgetting = None
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write_all())
        return self._group

    async def _write_all(self) -> None:
        """Write group after group. The first begins when this turn of the loop is over."""
        try:
            while (group := self._group) is not None:
                self._group = None
                try:
                    await self._write(group)
                except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                    group.stored.set_exception(error)
                else:
                    group.stored.set_result(None)
        finally:
            self._writing = None

    async def _write(self, group: _Group) -> None:
        """Make one commit of a group; a statement that is alone commits by itself."""
        connection = self._connection
        results = [_values(row) for row in group.executions]
        async with AsyncExitStack() as stack:
            stack.enter_context(naming(self._path, KIND))
            if group.jobs or group.forgotten or len(results) > ROWS_PER_STATEMENT:
                await stack.enter_async_context(transaction(connection))
            await insert(connection, _JOB, [(row.job, row.met_ms) for row in group.jobs])
            await insert(connection, _RESULT, results)
            await delete(connection, "DELETE FROM jobs WHERE job", (), group.forgotten)

    # Reading

    async def load(self) -> Recalled:
        """Return what the node knew when it last ran."""
        with naming(self._path, KIND):
            jobs = await self._all("SELECT job FROM jobs ORDER BY met_ms, job")
            claims = await self._all(_CLAIMS)
            ((recalled,),) = await self._all("SELECT recalled FROM node")
        return Recalled(
            jobs=[job for (job,) in jobs],
            executions={execution: Claim(*claim) for execution, *claim in claims},
            created=not recalled,
        )

    async def confirm_recall(self) -> None:
        """Note that a new database has been filled from the log; from now on it is believed."""
        with naming(self._path, KIND):
            await self._connection.execute("UPDATE node SET recalled = 1")

    async def result(self, execution: str) -> Stored | None:
        """Return the result of an execution, None when there is none or it has expired."""
        with naming(self._path, KIND):
            found = await self._all(
                "SELECT folder, stdout, stderr, exit_code FROM results WHERE execution = ?",
                execution,
            )
        if not found:
            return None
        folder, stdout, stderr, exit_code = found[0]
        return "folder" if folder else SmallResult(stdout, stderr, exit_code)

    async def folders(self) -> set[str]:
        """Return the executions whose results are folders."""
        with naming(self._path, KIND):
            return {name for (name,) in await self._all(_FOLDERS)}

    # Retention

    async def expire(self, older_than_ms: int, bytes_max: int) -> list[str]:
        """Drop results of closed jobs: those from before `older_than_ms`, then the oldest ones
        until the rest takes `bytes_max` or less.

        Returns some executions whose folder goes too: remove it, call `removed`, and come again
        until there are none. One that was not removed is returned again.
        """
        folders: list[str] = []
        with naming(self._path, KIND):
            more = True
            while more and not folders:
                due = await self._due(older_than_ms, bytes_max)
                folders = [execution for execution, folder in due if folder]
                await self._drop([execution for execution, folder in due if not folder])
                more = len(due) == EXPIRED_MAX
        return folders

    async def _due(self, older_than_ms: int, bytes_max: int) -> list[tuple[str, int]]:
        """Return the oldest results that are to go, and whether each is a folder."""
        ((held,),) = await self._all(_HELD)
        oldest = await self._all(_OLDEST, EXPIRED_MAX)
        due: list[tuple[str, int]] = []
        for execution, folder, finished_ms, size_bytes in oldest:
            if finished_ms >= older_than_ms and held <= bytes_max:
                break
            due.append((execution, folder))
            held -= size_bytes
        return due

    async def removed(self, executions: list[str]) -> None:
        """Note that the folders of expired executions are gone."""
        with naming(self._path, KIND):
            await self._drop(executions)

    async def _drop(self, executions: list[str]) -> None:
        await delete(self._connection, _DROP, (), executions)

    async def _all(self, query: str, *values: Any) -> list[Any]:
        async with self._connection.execute(query, values) as cursor:
            return list(await cursor.fetchall())


def _report(stored: "asyncio.Future[None]") -> None:
    """Log a failed commit that nobody may be waiting for."""
    if not stored.cancelled() and stored.exception() is not None:
        log.warning("the node's memory could not be written: %s", stored.exception())


def _values(row: ExecutionRow) -> tuple[Any, ...]:
    claim, stored = row.claim, row.stored
    small = stored if isinstance(stored, SmallResult) else None
    return (
        row.execution,
        row.job,
        row.finished_ms,
        row.size_bytes,
        small is None,
        claim.cid,
        claim.dag_size_bytes,
        claim.exit_code,
        claim.fuel,
        small.stdout if small else None,
        small.stderr if small else None,
    )
