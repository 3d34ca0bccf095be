"""The Python API: connect to a network, submit jobs, wait for them, and read every event.

See docs/python.md for a tour, and examples/python for programs.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from nats.aio.client import Client

from events.blobs import Blobs
from events.client import gateway, outcome
from events.client.contexts import Context, find_server
from events.client.current_trace import current_traceparent
from events.client.outcome import Outcome
from events.client.subscribing import OnForeign, entries, first_position, require_job_id
from events.clock import now_ms
from events.connection import connect as connect_to
from events.connection import without_login
from events.entry import Entry
from events.errors import EventError, InvalidInput, WaitTimedOut, WrongUsage
from events.ids import new_job_id
from events.jetstream import History, JetStreamLog, open_blobs, open_log
from events.log import Record
from events.selection import filters, read_kinds
from events.spec import JobSpec
from events.spec_reader import read_spec
from events.subjects import NAME

log = logging.getLogger(__name__)


class Lota:
    """A network, as one connection to its log shows it; made by `connect`, and closed by it.

    Any number of `tail`, `submit` and `wait` may run on it at one time, in one event loop. A lost
    connection comes back by itself, however long that takes: what is read goes on behind the last
    event that was yielded, without a gap and without a repeat. All methods may raise
    `LogUnavailable` when the server does not answer or the connection was closed.
    """

    def __init__(self, client: Client, log: JetStreamLog, history: History, name: str) -> None:
        self._client = client
        self._log = log
        self._history = history
        self._name = name
        self._blobs: Blobs | None = None

    async def tail(
        self,
        *,
        job: str | None = None,
        types: Iterable[str] = (),
        since: int | str | None = None,
        follow: bool = False,
        on_foreign: OnForeign | None = None,
    ) -> AsyncGenerator[Entry, None]:
        """Yield the events of the log in its order; with `follow` go on with what comes, for ever.

        `job` is the id of one job. `types` are kinds of events, such as `results.published` or
        `lota.results.published.v1`. Both select on the server. `since` is where to begin: a
        position (go on behind an entry with `entry.position + 1`), a time
        (`2026-11-23T09:00:00Z`, `2026-11-23`) or how long ago (`90s`, `2h`), by the clock of the
        server; None is the first event. Without `follow` the end is what is stored now.

        A message that is no event of this version (it is corrupt, or a newer version's) is passed
        over: `on_foreign` is told of it, or else the logger `events.client`, as a warning. What was
        stored as an older type comes as what that is now: where a type was split since, as several
        entries with one position.

        The iterator reads ahead by some thousand messages or 16 MiB and no further, so a slow
        reader is no burden to anybody. Break off whenever you like; with `contextlib.aclosing` the
        server forgets the reader at once, else within a minute.

        Raises WrongUsage at the first step for a type that there is not, what is no job id, and a
        `since` that is no point in the log, beyond its end, or before its first event; LogError
        when the server comes back with another log than before.
        """
        if job is not None:
            require_job_id(job)
        kinds = read_kinds(types)
        after = 0
        if since is not None:
            after = await first_position(self._history, since, now_ms()) - 1
        start = self._log.follow if follow else self._log.read
        batches = entries(start(filters(job, kinds), after=after), on_foreign or _warn)
        async with aclosing(batches):
            async for batch in batches:
                for entry in batch:
                    if not kinds or entry.address.kind in kinds:
                        yield entry

    async def position(self) -> int:
        """Return the position of the last event that is stored, 0 when there is none.

        From now on is `since=await lota.position() + 1`.
        """
        return await self._log.last()

    async def submit(
        self,
        spec: JobSpec | Mapping[str, Any],
        *,
        job: str | None = None,
        traceparent: str | None = None,
    ) -> str:
        """Append a job to the log and return its id, as soon as the log has it.

        `spec` is a `JobSpec` or the mapping that a spec file holds. Relative paths of its inputs
        are relative to the working directory; the files are read here, once, to list them. Results
        of other jobs (`lota://`) can be inputs by `lota job submit` only, which fetches from nodes.

        `job` is the id to submit under, made anew if it is not given: up to 40 letters, digits, -
        and _. A repeat under the same id with the same spec is a success and no second job, so a
        program that may die half-way chooses the id first and keeps it.

        `traceparent` is the span that the job belongs under, as W3C Trace Context writes it. None
        is the current span, in a program that uses OpenTelemetry. All events of the job carry it
        on; one that is malformed is left out.

        Raises InvalidSpec and InvalidInput, with the field, for what cannot be accepted; LotaError
        when the id is taken by another spec; ReadOnlyLog on a twin; AppendTimeout when no answer
        came within 25 seconds: then submit again under the id that the error names.
        """
        self._log.require_writable()
        read = spec if isinstance(spec, JobSpec) else read_spec(spec)
        _refuse_results(read)
        prepared = await gateway.prepare(read)
        if self._blobs is None:
            self._blobs = await open_blobs(self._client)
        name = job or new_job_id()
        await gateway.submit(
            self._log,
            self._blobs,
            prepared,
            job=name,
            author=self._name,
            traceparent=current_traceparent() if traceparent is None else traceparent,
        )
        return name

    async def wait(self, job: str, *, timeout_s: float | None = None) -> Outcome:
        """Wait until a job has ended and return how: completed, failed or cancelled.

        `timeout_s` is in seconds; None waits for ever. Raises NotFound when there is no such job,
        WaitTimedOut when it has not ended in time, LotaError when it has ended by a decision that
        only a newer version knows; the job itself is left alone.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await outcome.ended(self._log, job, _warn)
        except TimeoutError:
            raise WaitTimedOut(
                f"job {job} has not ended after {timeout_s:g} s",
                hint=f"lota job describe {job} says why",
            ) from None


@asynccontextmanager
async def connect(
    server: str | None = None,
    *,
    context: str | None = None,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    credentials: str | None = None,
    tls: ssl.SSLContext | None = None,
    name: str = "python",
) -> AsyncIterator[Lota]:
    """Connect to a network for the time of an `async with` block.

    `server` is the URL of the NATS server, several separated by commas. Without it the server is
    found as by the command `lota`: the saved `context` of that name, else `LOTA_SERVER`, else the
    context in use, else `nats://127.0.0.1:4222`. A login is given here, stands in the URL, or comes
    with the context; `credentials` is the path of a `.creds` file. `name` is what the server and
    the log call this program (up to 40 letters, digits, - and _), as author of what it submits.

    Raises LogUnavailable when no server can be reached or it has no JetStream, NotAdmitted when it
    refuses the login, StreamMismatch for a stream that is no log of Lota, NotFound for a context
    that does not exist, WrongUsage for a name that is none.
    """
    if not NAME.fullmatch(name):
        raise WrongUsage(f"{name!r} is no name", hint="use up to 40 letters, digits, - and _")
    found = find_server(server, context).context
    client = await _client(
        found,
        name=name,
        user=user or found.user or None,
        password=password or found.password or None,
        token=token or found.token or None,
        credentials=credentials or found.creds_path,
        tls=tls,
    )
    try:
        stream = await open_log(client)
        history = History(client)
        try:
            yield Lota(client, stream, history, name)
        finally:
            await history.close()
            await stream.close()
    finally:
        await client.close()


async def _client(found: Context, **options: Any) -> Client:
    where = without_login(found.server)
    return await connect_to(
        found.server,
        **options,
        on_disconnect=lambda: log.warning("the connection to %s is lost; waiting for it", where),
        on_reconnect=lambda: log.warning("connected to %s again", where),
    )


def _refuse_results(spec: JobSpec) -> None:
    """Only what reads results can list them, and that is more than a client of the log."""
    for index, entry in enumerate(spec.inputs):
        if entry.source.lower().startswith("lota://"):
            raise InvalidInput(
                f"$.inputs[{index}].source: {entry.source} is a result of a job",
                hint="submit this one by lota job submit, which can list results",
            )


def _warn(record: Record, error: EventError) -> None:
    log.warning("passed over %d %s: %s", record.position, record.subject, error)
