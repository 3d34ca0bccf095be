"""Following what a job's commands print, while they run and until they are judged."""

import asyncio
from collections.abc import Callable

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import LotaError, NodeSilent, NotFound
from events.log import Log
from node.cli.following import follow_job
from node.cli.opened_results import results_of
from node.cli.output import note
from node.cli.outputs import Stream, print_streams
from node.jobs import shard_indexes
from node.rpc import read_result
from projections.nodes import Nodes
from projections.state import OPEN, TERMINAL, Job, Shard

POLL_S = 0.25
"""How often a node is asked for more of a growing file."""

Write = Callable[[bytes], None]


class _Watch:
    """The job as it is now, kept up by a task beside."""

    def __init__(self) -> None:
        self._job: Job | None = None
        self._changed = asyncio.Event()
        self._error: LotaError | None = None

    async def keep(self, log: Log, name: str) -> None:
        try:
            async for self._job, _ in follow_job(log, name):
                self._changed.set()
        except LotaError as error:
            self._error = error
            self._changed.set()

    async def job(self) -> Job:
        """Return the job as soon as it has shards or has ended."""
        while self._job is None or not (self._job.shards or self._job.state in TERMINAL):
            await self.change(None)
        return self._job

    async def change(self, within_s: float | None) -> None:
        """Return when something has happened to the job, or when the time is over.

        Raises what ended the reading of the log.
        """
        try:
            async with asyncio.timeout(within_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()
        if self._error is not None:
            raise self._error


async def follow_output(
    client: Client, log: Log, name: str, shard: int | None, stream: str, write: Write
) -> None:
    """Write the stream of one shard, or of all in order, until their commands have ended.

    Raises NotFound for a shard that the job does not have, LotaError when nobody gives an output.
    """
    watch = _Watch()
    keeping = asyncio.ensure_future(watch.keep(log, name))
    try:
        for index in shard_indexes(await watch.job(), shard):
            await _Follower(client, watch, index, stream, write).run()
    finally:
        keeping.cancel()
        await asyncio.wait([keeping])


class _Follower:
    """Follows one shard: its present execution, then what was accepted."""

    def __init__(
        self, client: Client, watch: _Watch, index: int, stream: str, write: Write
    ) -> None:
        self._client = client
        self._watch = watch
        self._index = index
        self._stream = stream
        self._write = write
        self._attempt = -1
        self._offset = 0

    async def run(self) -> None:
        while True:
            job = await self._watch.job()
            shard = job.shards[self._index]
            if shard.verdict is not None or shard.state in ("failed", "cancelled"):
                await self._rest(job, shard)
                return
            if not await self._more(job, shard):
                await self._watch.change(POLL_S)

    async def _more(self, job: Job, shard: Shard) -> bool:
        """Write what is new from the execution that runs; say whether there may be more now."""
        running = [n for n, execution in enumerate(shard.executions) if execution.state in OPEN]
        if not running:
            return False
        if self._attempt not in running:
            if self._offset:
                note(f"lota: shard {self._index} runs again; its output starts over")
            self._attempt, self._offset = running[0], 0
        name = execution_id(job.id, self._index, self._attempt)
        node = shard.executions[self._attempt].node
        try:
            chunk = await read_result(self._client, node, name, self._stream, offset=self._offset)
        except (NotFound, NodeSilent):
            return False
        await asyncio.to_thread(self._write, chunk.data)
        self._offset += len(chunk.data)
        return bool(chunk.data)

    async def _rest(self, job: Job, shard: Shard) -> None:
        """Write what was accepted, from where the execution that was followed had come to."""
        if not shard.executions:
            return
        async with results_of(self._client, job, Nodes()) as results:
            stream = Stream(self._index, self._stream, self._write, self._offset)
            problems = await print_streams(self._client, results, (stream,))
        if problems:
            raise NotFound(problems[0], hint="lota node ls shows who is there")
