"""What accepts a job from a client: normal form, listed inputs, then one append.

Everything that can be refused is refused here, before anything is appended. The client makes the
job id before its first try, so that any step may be repeated after a crash or a lost answer: blobs
are named by their content, and the submission of a job that is there already with the same spec is
a success.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from events import codec, subjects, trace_context
from events import spec as specs
from events.blobs import Blobs
from events.clock import now_ms
from events.errors import (
    AppendTimeout,
    CorruptEvent,
    InvalidInput,
    InvalidSpec,
    JobIdTaken,
    LogUnavailable,
    LotaError,
    NewerEvent,
    NotFound,
    UnknownEvent,
    WrongExpectedPosition,
)
from events.ids import new_id
from events.inputs.listing import INLINE_BYTES_MAX, canonical, make_listing
from events.inputs.local import LocalFiles
from events.inputs.naming import absolute
from events.inputs.port import Found, Listable, Progress
from events.items import Listing
from events.log import Expect, Log, Record
from events.requests import CancelRequested, CancelRequestedData, JobSubmitted, JobSubmittedData
from events.sharding import pattern, shard_count
from events.spec import Input, JobSpec
from events.targets import check_targets
from events.times import rfc3339

APPEND_TRIES = 6
"""A quarter of a minute where no server takes appends: a busy cluster takes its time to elect."""
FIRST_WAIT_S = 0.5
"""Before the second try where no server takes appends; then twice as long each time."""
SUBMISSION_BYTES_MAX = 256 * 1024

SOURCES: Mapping[str, Listable] = {"file": LocalFiles()}
"""The drivers whose sources the client lists itself."""


class Submission(msgspec.Struct, frozen=True):
    """A job that can be submitted: what the event will say, and the blobs that it names."""

    data: JobSubmittedData
    blobs: tuple[bytes, ...] = ()


async def prepare(
    spec: JobSpec,
    *,
    publishers: Mapping[str, bool] = specs.PUBLISHERS,
    sources: Mapping[str, Listable] = SOURCES,
    progress: Progress | None = None,
) -> Submission:
    """Return the job in normal form with its inputs listed; relative paths are to this process.

    `publishers` are the drivers that exist, and whether a job must name a credential for each.
    `progress` is called with the files and bytes listed so far. Raises InvalidSpec and
    InvalidInput for all that cannot be accepted.
    """
    known = sorted(sources)
    inputs = []
    for index, entry in enumerate(spec.inputs):
        with _of_input(index):
            named = absolute(entry, known)
            source = sources[named.source.partition("://")[0]]
            plain = await source.canonical(named.source)
            inputs.append(msgspec.structs.replace(named, source=plain))
    spec = msgspec.structs.replace(spec, inputs=tuple(inputs))
    spec = specs.normal(spec, publishers=publishers)
    check_targets(spec)
    chosen, everything = pattern(spec.sharding.glob), pattern("")
    listings: list[Listing] = []
    blobs: list[bytes] = []
    room_bytes = INLINE_BYTES_MAX
    files = size_bytes = 0

    def total(more_files: int, more_bytes: int) -> None:
        if progress is not None:
            progress(files + more_files, size_bytes + more_bytes)

    for index, entry in enumerate(spec.inputs):
        source = sources[entry.source.partition("://")[0]]
        matcher = everything if entry.context else chosen
        with _of_input(index):
            found = await source.list(entry.source, matcher, progress=total)
            _refuse_empty(entry, found, spec.sharding.glob)
        listing, blob = make_listing(entry.source, found.files, inline_bytes_max=room_bytes)
        listings.append(listing)
        if blob is None:
            room_bytes -= len(canonical(found.files))
        else:
            blobs.append(blob)
        files, size_bytes = files + listing.count, size_bytes + listing.size_bytes
    shard_count(spec, [listing.count for listing in listings])
    data = JobSubmittedData(spec=spec, digest=specs.digest(spec), inputs=tuple(listings))
    size = len(msgspec.json.encode(data))
    if size > SUBMISSION_BYTES_MAX:
        raise InvalidSpec(
            "$", f"the job takes {size:,} bytes", hint=f"the limit is {SUBMISSION_BYTES_MAX:,}"
        )
    return Submission(data, tuple(blobs))


async def submit(
    log: Log,
    blobs: Blobs,
    submission: Submission,
    *,
    job: str,
    author: str,
    traceparent: str | None = None,
    new_id: Callable[[], str] = new_id,
    now_ms: Callable[[], int] = now_ms,
) -> int:
    """Append the job under its id and return its position; a repeat returns that of the first.

    `traceparent` is the span that the job belongs under, as W3C Trace Context writes it; all events
    of the job carry it on. One that is malformed is left out.

    Raises JobIdTaken when the id is another job's, AppendTimeout when the log never
    answered: then submit again under the same id.
    """
    _check_names(job, author)
    for blob in submission.blobs:
        await blobs.put(blob)
    first = new_id()
    event = JobSubmitted(
        id=first,
        source=f"/lota/g/{author}",
        subject=job,
        time=rfc3339(now_ms()),
        causationid=first,
        traceparent=trace_context.normal(traceparent) or msgspec.UNSET,
        data=submission.data,
    )
    try:
        return await _append(log, event, author, Expect(subjects.requests(job), 0))
    except AppendTimeout as error:
        raise AppendTimeout(
            f"no answer to the submission of job {job}",
            hint=f"it may be there or not: see lota job describe {job}, or submit it again under "
            "this id",
        ) from error
    except WrongExpectedPosition:
        record, there = await _first_submission(log, job)
    if there.data.digest != submission.data.digest:
        raise JobIdTaken(f"job {job} is there with another spec", hint="submit under a new job id")
    return record.position


async def request_cancel(
    log: Log,
    *,
    job: str,
    author: str,
    reason: str,
    new_id: Callable[[], str] = new_id,
    now_ms: Callable[[], int] = now_ms,
) -> int:
    """Append the wish that a job ends and return its position; whether it does is decided later.

    Raises NotFound when there is no such job, AppendTimeout when the log never answered.
    """
    _check_names(job, author)
    _, submitted = await _first_submission(log, job)
    first = new_id()
    event = CancelRequested(
        id=first,
        source=f"/lota/g/{author}",
        subject=job,
        time=rfc3339(now_ms()),
        causationid=first,
        traceparent=submitted.traceparent,
        data=CancelRequestedData(reason=reason),
    )
    return await _append(log, event, author, None)


async def _append(
    log: Log, event: JobSubmitted | CancelRequested, author: str, expect: Expect | None
) -> int:
    """Append with the same id until it is stored, a few times; servers may elect a leader."""
    subject = subjects.subject(event.subject, "g", author, codec.kind(event))
    body = codec.encode(event)
    for tried in range(1, APPEND_TRIES):
        answer = log.append(subject, body, id=event.id, expect=expect)
        refused_here = answer.done()
        try:
            return await answer
        except AppendTimeout:
            continue
        except LogUnavailable:
            if refused_here:
                raise
            await asyncio.sleep(FIRST_WAIT_S * 2 ** (tried - 1))
    return await log.append(subject, body, id=event.id, expect=expect)


async def _first_submission(log: Log, job: str) -> tuple[Record, JobSubmitted]:
    newer = ""
    async for records in log.read([subjects.requests(job)]):
        for record in records:
            try:
                event = codec.decode(record.body)
            except NewerEvent as error:
                newer = newer or error.what
                continue
            except (CorruptEvent, UnknownEvent):
                continue
            if isinstance(event, JobSubmitted):
                return record, event
    if newer:
        raise NotFound(f"job {job} cannot be read: {newer}", hint="use that version")
    raise NotFound(f"there is no job {job}", hint="lota job ls shows what there is")


@contextmanager
def _of_input(index: int) -> Iterator[None]:
    """Say in the message which input of the spec it is about."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"$.inputs[{index}].source: {error.what}", hint=error.hint) from None


def _refuse_empty(entry: Input, found: Found, glob: str) -> None:
    if found.files:
        return
    if not found.seen:
        raise InvalidInput(f"{entry.source} holds no file", hint="name a file or a filled folder")
    raise InvalidInput(
        f"{glob!r} matches none of the {found.seen:,} file(s) of {entry.source}",
        hint="globs are relative to the source, and only **/ reaches into folders",
    )


def _check_names(job: str, author: str) -> None:
    if not subjects.JOB_ID.fullmatch(job):
        raise LotaError(
            f"{job!r} is no job id", hint="use up to 40 letters, digits, - and _, no - or _ first"
        )
    if not subjects.NAME.fullmatch(author):
        raise LotaError(f"{author!r} is no name", hint="use up to 40 letters, digits, - and _")
