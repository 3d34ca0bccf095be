"""The one kind of byte range that is answered: a single one (RFC 9110, section 14)."""

import re

_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})", re.ASCII)


class Unsatisfiable(Exception):
    """A range that begins behind the end of the file."""


def byte_range(header: str, size_bytes: int) -> tuple[int, int] | None:
    """Return `start <= offset < stop` of a `Range` header, None when the whole is to be sent.

    What does not parse, and lists of ranges, are ignored, as the RFC allows. Raises
    `Unsatisfiable` when not one byte of the file is asked for.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size_bytes - int(last)), size_bytes
    else:
        start = int(first)
        stop = min(size_bytes, int(last) + 1) if last else size_bytes
        if last and int(last) < start:
            return None
    if start >= size_bytes or start >= stop:
        raise Unsatisfiable
    return start, stop
