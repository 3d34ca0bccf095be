"""What a person types for an input, made into a source with a scheme and a place of its own."""

import os
import re
from urllib.parse import unquote, urlsplit

import msgspec

from events.errors import InvalidInput
from events.inputs.file_uri import to_path, to_uri
from events.spec import Input

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


def parse_input(text: str, *, context: bool = False) -> Input:
    """Return the input that `SOURCE[:DEST]` names, as on the command line.

    The last colon parts them, unless the whole names a path that exists: for a path that holds a
    colon, DEST can still be given behind one more. In a URL no colon of the host and port counts,
    and one of the path is written as %3A. Raises InvalidInput when either part is empty.
    """
    scheme = _SCHEME.match(text)
    if scheme is None and os.path.lexists(text):
        return Input(source=text, context=context)
    start = len(scheme[0]) if scheme else 0
    host_end = text.find("/", start) if scheme and scheme[0] != "lota://" else start
    colon = text.rfind(":", host_end) if host_end >= 0 else -1
    if colon < 0:
        colon = len(text)
    source, dest = text[:colon], text[colon + 1 :]
    if len(source) <= start or text.endswith(":"):
        raise InvalidInput(f"{text!r} is no input", hint="write SOURCE or SOURCE:DEST")
    return Input(source=source, dest=dest, context=context)


def absolute(entry: Input, scheme_names: list[str]) -> Input:
    """Return the input with an absolute source and its default DEST, the source's base name.

    Raises InvalidInput for a scheme that is not among `scheme_names`, and for a source that has no
    base name.
    """
    source = entry.source
    if not source:
        raise InvalidInput("an input has no source", hint="name a file or a folder")
    if _SCHEME.match(source) is None:
        source = to_uri(source)
    scheme, rest = source.split("://", 1)
    if scheme.lower() not in scheme_names:
        raise InvalidInput(
            f"{source} has the unknown scheme {scheme!r}",
            hint=f"use a path, or one of {', '.join(f'{name}://' for name in scheme_names)}",
        )
    source = f"{scheme.lower()}://{rest}"
    if scheme.lower() == "file":
        source = to_uri(to_path(source))
    place = urlsplit(source)
    dest = entry.dest or os.path.basename(unquote(place.path).rstrip("/"))
    if scheme.lower() == "lota":
        dest = dest or place.netloc
    if not dest:
        raise InvalidInput(f"{source} has no base name", hint="name its place: SOURCE:DEST")
    return msgspec.structs.replace(entry, source=source, dest=dest.rstrip("/") or dest)
