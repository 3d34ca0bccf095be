"""`lota trace export`: jobs that have ended as the spans of a trace, sent to OpenTelemetry."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from cyclopts import Parameter

from events.errors import LotaError, WrongUsage
from node.cli.output import note
from node.cli.recorded import Recorded, named_job, recorded
from node.cli.server import Server

if TYPE_CHECKING:
    from events.log import Log, Record
    from node.otlp import SpanSender
    from projections.spans import Span
    from projections.traces import Traces

AT_ONCE = 512
"""Spans in a request: some 300 KB."""
RETRY_S = 1.0


async def export(
    job: str | None = None,
    /,
    *,
    endpoint: str | None = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative=())] = False,
    since: str | None = None,
    from_file: Annotated[Path | None, Parameter(name="--from")] = None,
    server: Server | None = None,
) -> None:
    """Send jobs that have ended as traces to OpenTelemetry, and print the trace id of each.

    A trace has a span for the job and under it one for each shard, execution and publication, with
    the times of their events. Its ids follow from the log, so sending a job again changes nothing.
    The job stands under the span that it was submitted under, if it was (TRACEPARENT).

    Example: lota trace export --endpoint http://127.0.0.1:4318 --follow

    Parameters
    ----------
    job
        Only this job: its id, or the start of it. Without it, all.
    endpoint
        URL of the collector, which takes OTLP over HTTP. Default: OTEL_EXPORTER_OTLP_ENDPOINT,
        then http://localhost:4318. The other variables of OTEL_EXPORTER_OTLP, such as
        OTEL_EXPORTER_OTLP_HEADERS, are heeded as well.
    follow
        Go on with jobs that end from now on, until Ctrl-C; with a job, wait for its end.
    since
        Only jobs that ended since this position or time: 1234, 2026-11-23T09:00:00Z or 2h (ago).
    from_file
        Read this export (lota events export) instead of a server.
    """
    if follow and from_file is not None:
        raise WrongUsage("--from reads a file, which does not go on", hint="leave out --follow")
    sender = _sender(endpoint)
    try:
        async with recorded(from_file, server) as source:
            name = await named_job(source, job) if job is not None else ""
            after = await _before(source, since)
            await _Export(sender, job=name, after=after, follow=follow).run(source)
    finally:
        sender.close()


def _sender(endpoint: str | None) -> "SpanSender":
    try:
        from node.otlp import SpanSender
    except ModuleNotFoundError as error:
        raise LotaError(
            f"traces are sent by the package {error.name}, which is not installed",
            hint="install lota[otel]",
        ) from None
    return SpanSender(endpoint)


async def _before(source: Recorded, since: str | None) -> int:
    """Return the position up to which jobs had ended that are not meant."""
    if since is None:
        return 0
    from events.client.points import read_point
    from events.clock import now_ms
    from events.times import parse_ms

    found = read_point(since, now_ms())
    first = found if isinstance(found, int) else await source.position_since(parse_ms(found))
    if first > source.last + 1:
        raise WrongUsage(
            f"position {first} is beyond the end of the log",
            hint=f"its last position is {source.last}",
        )
    return first - 1


class _Export:
    """One run of the command: the jobs that ended behind `after`, or the one that is named."""

    def __init__(self, sender: "SpanSender", *, job: str, after: int, follow: bool) -> None:
        self._sender = sender
        self._job = job
        self._after = after
        self._follow = follow
        self._waiting: list[Span] = []
        self._told: list[str] = []
        self._jobs = 0

    async def run(self, source: Recorded) -> None:
        """Read the log and send what comes of it."""
        from projections.base import begin
        from projections.traces import Traces

        traces = Traces(begin(source.base))
        async with aclosing(self._records(source, traces.network.position)) as batches:
            async for records in batches:
                for record in records:
                    await self._take(traces, record)
                await self._send()
                if self._job and self._jobs:
                    break
        self._sum_up(traces)

    def _records(self, source: Recorded, after: int) -> AsyncGenerator[list["Record"], None]:
        from events.subjects import EVERYTHING, job_events

        filters = (job_events(self._job),) if self._job else (EVERYTHING,)
        if self._follow:
            batches = cast("Log", source.log).follow(filters, after=after)
        else:
            batches = source.log.read(filters, after=after)
        # Every log reads by a generator.
        return cast("AsyncGenerator[list[Record], None]", batches)

    async def _take(self, traces: "Traces", record: "Record") -> None:
        spans = traces.fold(record)
        if spans is None or record.position <= self._after:
            return
        self._jobs += 1
        for number, span in enumerate(spans):
            self._waiting.append(span)
            if number == 0:
                self._told.append(f"{span.trace_id} {span.attributes['lota.job.id']}")
            if len(self._waiting) >= AT_ONCE:
                await self._send()

    async def _send(self) -> None:
        """Send what waits; one that follows the log waits for a collector that is out of reach."""
        while self._waiting:
            try:
                await self._sender.send(self._waiting)
            except LotaError as error:
                if not self._follow:
                    raise
                note(f"lota: {error.what}; they are sent again")
                await asyncio.sleep(RETRY_S)
            else:
                self._waiting.clear()
        for line in self._told:
            print(line, flush=self._follow)
        self._told.clear()

    def _sum_up(self, traces: "Traces") -> None:
        if self._job and not self._jobs:
            if traces.open:
                raise LotaError(f"job {self._job} has not ended", hint="wait for it with --follow")
            raise LotaError(
                f"job {self._job} is not told from its submission to its end here",
                hint="leave out --since, or read the archive that has it by --from",
            )
        if traces.open:
            note(f"lota: {traces.open:,} job(s) have not ended and are left out")
