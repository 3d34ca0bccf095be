"""`file://` URIs and local paths, both ways, and which of them a node may read."""

import os
from collections.abc import Iterable
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from events.errors import InvalidInput


def to_uri(path: str) -> str:
    """Return the `file:///...` of a path, made absolute by the working directory."""
    return f"file://{quote_from_bytes(os.fsencode(os.path.abspath(path)))}"


def to_path(source: str) -> str:
    """Return the absolute path that a `file://` source names.

    Raises InvalidInput for another host, a relative path, a query, and names that are not UTF-8.
    """
    parts = urlsplit(source)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"}:
        raise InvalidInput(f"{source} is no file of this machine", hint="write file:///path")
    if parts.query or parts.fragment:
        raise InvalidInput(
            f"{source} has a query or fragment", hint="write ? as %3F and # as %23 in file names"
        )
    try:
        path = unquote_to_bytes(parts.path).decode()
    except UnicodeDecodeError:
        raise InvalidInput(f"{source} is not UTF-8", hint="rename the file or folder") from None
    if not path.startswith("/") or "\0" in path:
        raise InvalidInput(f"{source} is no absolute path", hint="write file:///path")
    return os.path.normpath(f"/{path.lstrip('/')}")


def allowed(source: str, prefixes: Iterable[str]) -> bool:
    """Return whether a `file://` source lies in one of these folders, links and `..` resolved."""
    try:
        path = os.path.realpath(to_path(source))
    except InvalidInput:
        return False
    roots = (os.path.realpath(prefix) for prefix in prefixes)
    return any(os.path.commonpath((root, path)) == root for root in roots)
