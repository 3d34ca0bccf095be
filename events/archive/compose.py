"""The lines of an export in their order, with the counts and the digest of its end: pure."""

from hashlib import sha256

from events.archive.lines import (
    End,
    Header,
    Stored,
    encode_blob,
    encode_end,
    encode_header,
    encode_message,
)


class Composer:
    """Makes one export: `begin`, then every `message`, then every `blob`, then `end`.

    The caller keeps that order, and the positions in theirs. What each method returns is to be
    written whole.
    """

    def __init__(self) -> None:
        self.events = 0
        self.blobs = 0
        self._digest = sha256()

    def begin(self, header: Header) -> bytes:
        """Return the first line."""
        return self._counted(encode_header(header))

    def message(self, stored: Stored) -> bytes:
        """Return the line of the next message."""
        self.events += 1
        return self._counted(encode_message(stored))

    def blob(self, cid: str, data: bytes) -> list[bytes]:
        """Return the lines of a blob, of which the caller says that it is what `cid` names."""
        self.blobs += 1
        return [self._counted(line) for line in encode_blob(cid, data)]

    def end(self) -> bytes:
        """Return the last line."""
        digest = self._digest.hexdigest()
        return encode_end(End(events=self.events, blobs=self.blobs, sha256=digest))

    def _counted(self, line: bytes) -> bytes:
        self._digest.update(line)
        return line
