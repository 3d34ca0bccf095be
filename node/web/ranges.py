"""The one kind of byte range that is answered: a single one (RFC 9110, section 14)."""

import re

from starlette.requests import Request

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


def range_asked(request: Request, size_bytes: int, etag: str | None) -> tuple[int, int] | None:
    """Return the range that a request asks for of a file with this tag, None for all of it.

    Raises `Unsatisfiable`.
    """
    asked = request.headers.get("range")
    condition = request.headers.get("if-range")
    if asked is None or request.method != "GET" or (condition is not None and condition != etag):
        return None
    return byte_range(asked, size_bytes)


def with_range(headers: dict[str, str], span: tuple[int, int], size_bytes: int) -> dict[str, str]:
    """Return the headers of an answer that is a range of a file."""
    start, stop = span
    return {**headers, "content-range": f"bytes {start}-{stop - 1}/{size_bytes}"}


def is_known(request: Request, etag: str) -> bool:
    """Return whether the client has the file with this tag already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in [one.strip() for one in known.split(",")]
