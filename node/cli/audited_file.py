"""An export under audit: its lines are checked and its events audited in one pass.

What is wrong with the file is a finding beside the others, so that a changed file still says what
was changed: the digest tells that it was, and the seals where.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from msgspec import structs

from events.archive.check import Checker
from events.archive.files import in_thread, lines, reading
from events.archive.lines import (
    BaseRef,
    Header,
    Line,
    Piece,
    Stored,
    decode_header,
    decode_line,
)
from events.archive.named_blobs import named_blobs
from events.blobs import verified
from events.errors import ContentError, DamagedExport, ExportError, NotFound, TruncatedExport
from events.log import Base
from events.subjects import NODES, job_events
from events.wildcards import matches
from node.cli.audit import scope_of
from projections.audit import Audit, Report
from projections.base import begin

STEP_LINES = 2_000
"""What one turn in a thread takes, so that a Ctrl-C is heard."""


async def audit_file(path: Path, job: str | None = None) -> Report:
    """Audit an export, or one job of it.

    Raises ExportError for a file that is no export, a newer one or not in the order of a log,
    InvalidInput for one that cannot be read, NotFound when the job is not there.
    """
    audited = _AuditedFile(job, await asyncio.to_thread(_read_base, path))
    try:
        try:
            async with in_thread(reading(path)) as file:
                content = lines(file)
                while await asyncio.to_thread(audited.take, content):
                    pass
        except DamagedExport as error:
            audited.damaged(error)  # the file ends where it cannot be decompressed
        report = await asyncio.to_thread(audited.finish)
    except ExportError as error:
        raise type(error)(f"{path}: {error.what}", hint=error.hint) from None
    if job is not None and report.clean and not report.jobs:
        raise NotFound(f"there is no job {job} in {path}", hint="--from needs the job's whole id")
    return report


def _read_base(path: Path) -> Base | None:
    """Return the base that a file names, None when it names none or has it not whole.

    It lies behind the events and is needed before them, so the file is looked through for it.
    """
    with reading(path) as file:
        content = lines(file)
        try:
            reference = decode_header(next(content, b"")).base
            if not isinstance(reference, BaseRef):
                return None
            mark = b'{"blob":"%b"' % reference.blob.encode()
            pieces = (decode_line(line, 0) for line in content if line.startswith(mark))
            parts = [piece.data for piece in pieces if isinstance(piece, Piece)]
            base = Base(reference.position, verified(reference.blob, b"".join(parts)))
            begin(base)
        except (ExportError, ContentError):
            return None
        return base


class _AuditedFile:
    """The checks of the file and of the log in it."""

    def __init__(self, job: str | None, base: Base | None) -> None:
        self.checker = Checker()
        self._base = base
        self.audit = Audit()
        self._filters = (job_events(job), NODES) if job is not None else ()
        self._named: set[str] = set()
        self._whole = True

    def take(self, content: Iterator[bytes]) -> bool:
        """Take the next lines; say whether there may be more."""
        step = list(islice(content, STEP_LINES))
        for line in step:
            try:
                self._take(self.checker.take(line))
            except (DamagedExport, TruncatedExport) as error:
                self.damaged(error)
        return len(step) == STEP_LINES

    def damaged(self, error: ExportError) -> None:
        """Note what is wrong with the file; the lines behind it may still tell something."""
        self._whole = False
        self.audit.damaged(error.what, error.hint)

    def finish(self) -> Report:
        """Return the report of what was taken."""
        if self._whole:
            try:
                self.checker.finish()
            except TruncatedExport as error:
                self.damaged(error)
        self.audit.lacks("a blob that an event names is not there", len(self._named))
        return self.audit.finish()

    def _take(self, found: Line) -> None:
        if isinstance(found, Stored):
            self._audit(found)
        elif isinstance(found, Piece):
            self._named.discard(found.blob)
        elif isinstance(found, Header):
            self._begin(found)

    def _begin(self, header: Header) -> None:
        scope = scope_of(header)
        lost = isinstance(header.base, BaseRef) and self._base is None
        if lost:
            scope = structs.replace(scope, nodes=False)
        self.audit = Audit(scope, begin(self._base).nodes)
        self.audit.lacks("what stood before an archived beginning is not there", int(lost))

    def _audit(self, stored: Stored) -> None:
        if self._filters and not any(matches(each, stored.subject) for each in self._filters):
            return
        self._named.update(named_blobs(stored.body))
        self.audit.take(stored.record)
