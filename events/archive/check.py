"""Whether lines are an export: their order, their digest, their blobs. Pure, line by line."""

from hashlib import sha256

from events.archive.lines import (
    BEGIN,
    CUT,
    RESTORE,
    End,
    Line,
    Piece,
    Stored,
    decode_header,
    decode_line,
)
from events.cid import cid_bytes
from events.errors import ContentError, DamagedExport, NotAnExport, TruncatedExport, UnorderedExport
from events.log import EVERYTHING

LOG = EVERYTHING.removesuffix(">")


class Checker:
    """Takes an export line by line, each with its line break, and raises at the first wrong one.

    `number` counts the lines taken. What is right so far may still turn out to be damaged at the
    end: only after `finish` is the whole known to be what was written.
    """

    def __init__(self) -> None:
        self.number = 0
        self.events = 0
        self.blobs = 0
        self.first = 0
        self.last = 0
        self._digest = sha256()
        self._end: End | None = None
        self._blob: str | None = None
        self._blob_digest = sha256()

    def take(self, line: bytes) -> Line:
        """Return what the next line says.

        Raises NotAnExport, NewerExport, TruncatedExport, UnorderedExport or DamagedExport, all
        with the line's number.
        """
        self.number += 1
        if self._end is not None:
            raise DamagedExport(f"line {self.number} stands behind the end", hint=RESTORE)
        found = self._decode(line)
        if isinstance(found, Stored):
            self._order(found)
        elif isinstance(found, Piece):
            self._continue_blob(found)
        elif isinstance(found, End):
            self._compare(found)
        self._digest.update(line)
        return found

    def finish(self) -> End:
        """Return the last line.

        Raises TruncatedExport when there was none, NotAnExport when there was no line at all.
        """
        if not self.number:
            raise NotAnExport("the file is empty", hint=BEGIN)
        if self._end is None:
            raise TruncatedExport(f"the export ends behind line {self.number}", hint=CUT)
        return self._end

    def _decode(self, line: bytes) -> Line:
        try:
            return decode_header(line) if self.number == 1 else decode_line(line, self.number)
        except DamagedExport:
            if line.endswith(b"\n"):
                raise
            raise TruncatedExport(f"line {self.number} is cut off", hint=CUT) from None

    def _order(self, stored: Stored) -> None:
        if stored.position <= self.last:
            raise UnorderedExport(
                f"line {self.number}: position {stored.position} stands behind {self.last}",
                hint="an export is in the order of the log: do not sort or join such files",
            )
        if self.blobs or self._blob is not None:
            raise UnorderedExport(
                f"line {self.number}: an event stands behind the blobs",
                hint="an export is in the order of the log: do not sort or join such files",
            )
        if not stored.subject.startswith(LOG):
            raise DamagedExport(
                f"line {self.number}: {stored.subject} is no subject of the log", hint=RESTORE
            )
        self.first = self.first or stored.position
        self.last = stored.position
        self.events += 1

    def _continue_blob(self, piece: Piece) -> None:
        if piece.blob != self._blob:
            self._end_blob(self.number - 1)
            self._blob, self._blob_digest = piece.blob, sha256()
        self._blob_digest.update(piece.data)

    def _end_blob(self, number: int) -> None:
        """See that the pieces up to line `number` are what their CID names."""
        if self._blob is None:
            return
        try:
            named = cid_bytes(self._blob)
        except ContentError as error:
            raise DamagedExport(f"line {number}: {error.what}", hint=RESTORE) from None
        if named[4:] != self._blob_digest.digest():
            raise DamagedExport(
                f"line {number}: the blob that ends here is not {self._blob}", hint=RESTORE
            )
        self._blob = None
        self.blobs += 1

    def _compare(self, end: End) -> None:
        self._end_blob(self.number - 1)
        counts = self.events, self.blobs
        if (end.events, end.blobs) != counts:
            raise DamagedExport(
                f"line {self.number} counts {end.events} events and {end.blobs} blobs, and "
                f"{counts[0]} and {counts[1]} stand before it",
                hint=RESTORE,
            )
        if end.sha256 != self._digest.hexdigest():
            raise DamagedExport(
                f"line {self.number}: the digest is not that of the {self.number - 1} lines before",
                hint=f"{RESTORE}; lota audit --from tells which event no longer fits",
            )
        self._end = end
