"""The way to the network: what is asked of it goes through here, and so do results.

An observer of a file has none, and one of a twin can only read.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from typing import Self

from nats.aio.client import Client

from events.blobs import Blobs
from events.client.gateway import prepare, request_cancel, submit
from events.errors import InvalidInput, JobFailed
from events.ids import new_job_id
from events.inputs.file_uri import allowed
from events.inputs.local import LocalFiles
from events.inputs.port import Listable
from events.jetstream import JetStreamLog, open_blobs
from events.spec import JobSpec
from node.bus import Bus
from node.draining import drain
from node.inputs.lota import SCHEME, LotaSource
from node.jobs import load_job
from node.results.job_results import JobResults
from node.results.publishers import Credentials
from node.web.problems import Refused
from projections.nodes import Nodes
from projections.state import TERMINAL, Job

AUTHOR = "api"
"""What the API is called on the log, as the author of its requests."""

RESULTS_AT_ONCE = 64
"""Each reads some 6 MB ahead of its client, who may be slow."""

COME_AGAIN = {"retry-after": "5"}

log = logging.getLogger(__name__)


class Gateway:
    """Asks a network for something.

    `allow_paths` are the folders of this machine that jobs may name as inputs, since it is this
    process that lists them; `credentials` are for reading published results.
    """

    def __init__(
        self,
        client: Client,
        events_log: JetStreamLog,
        blobs: Blobs,
        credentials: Credentials,
        allow_paths: Sequence[str] = (),
    ) -> None:
        self.client = client
        self._log = events_log
        self._blobs = blobs
        self._credentials = credentials
        self._bus = Bus(client)
        self._files = AllowedFiles(allow_paths)
        self._readers = asyncio.Semaphore(RESULTS_AT_ONCE)

    @classmethod
    async def open(
        cls,
        client: Client,
        events_log: JetStreamLog,
        credentials: Credentials,
        allow_paths: Sequence[str] = (),
    ) -> Self:
        """Make ready what submitting a job needs."""
        return cls(client, events_log, await open_blobs(client), credentials, allow_paths)

    @property
    def writable(self) -> bool:
        """Whether the network takes requests: a twin of a log takes none."""
        return self._log.twin is None

    async def submit(self, spec: JobSpec, *, job: str, traceparent: str | None) -> int:
        """Append a job under an id and return its position; a repeat is the same job.

        Raises as `events.client.gateway` does, ReadOnlyLog on a twin.
        """
        self._log.require_writable()
        _refuse_relative(spec)
        results = LotaSource(self._log, self.client, self._credentials, log.warning)
        sources: dict[str, Listable] = {"file": self._files, SCHEME: results}
        try:
            submission = await prepare(spec, sources=sources)
        finally:
            await results.close()
        return await submit(
            self._log,
            self._blobs,
            submission,
            job=job,
            author=AUTHOR,
            traceparent=traceparent,
        )

    async def cancel(self, job: str, reason: str) -> int:
        """Append the wish that a job ends and return its position.

        Raises NotFound, ReadOnlyLog, and JobFailed for a job that has ended.
        """
        self._log.require_writable()
        state = (await load_job(self._log, job)).job.state
        if state in TERMINAL:
            raise JobFailed(f"too late: job {job} {state}", hint="only an open job can be ended")
        return await request_cancel(self._log, job=job, author=AUTHOR, reason=reason)

    async def drain(self, node: str) -> int:
        """Have a node drain and return the position where it says so.

        Raises ReadOnlyLog, and what `node.draining` does.
        """
        self._log.require_writable()
        return await drain(self._log, self._bus, node)

    @asynccontextmanager
    async def results(self, job: Job, nodes: Nodes) -> AsyncIterator[JobResults]:
        """Open the results of a job, for a few at a time. Raises LotaError, `Refused`."""
        if self._readers.locked():
            raise Refused(
                503,
                f"{RESULTS_AT_ONCE} results are being read already",
                hint="come again after as many seconds as the header Retry-After says",
                headers=COME_AGAIN,
            )
        async with self._readers, self._opened(job, nodes) as results:
            yield results

    @asynccontextmanager
    async def _opened(self, job: Job, nodes: Nodes) -> AsyncIterator[JobResults]:
        make = partial(
            JobResults,
            job,
            nodes,
            client=self.client,
            warn=log.warning,
            credentials=self._credentials,
        )
        results = await asyncio.to_thread(make)
        try:
            yield results
        finally:
            await results.close()


class AllowedFiles(LocalFiles):
    """Lists files of the folders that clients may name, and looks at no others."""

    def __init__(self, allow: Sequence[str]) -> None:
        self._allow = tuple(allow)

    async def canonical(self, source: str) -> str:
        if not await asyncio.to_thread(allowed, source, self._allow):
            raise InvalidInput(
                f"{source} is none of the folders that jobs may read here",
                hint="lota job submit lists files where they are; lota dev has --allow-path",
            )
        return await super().canonical(source)


def job_id(asked: str, key: str) -> str:
    """Return the id to submit under: the one asked for, one that follows from a key, or a new one.

    A key is what a client repeats a request with.
    """
    if asked:
        return asked
    return f"k{sha256(key.encode()).hexdigest()[:31]}" if key else new_job_id()


def _refuse_relative(spec: JobSpec) -> None:
    for index, entry in enumerate(spec.inputs):
        if "://" not in entry.source and not entry.source.startswith("/"):
            raise InvalidInput(
                f"$.inputs[{index}].source: {entry.source!r} is relative, and nobody knows to what",
                hint="write file:///path",
            )
