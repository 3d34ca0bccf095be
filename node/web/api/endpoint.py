"""A typed route: one declaration that answers requests and describes itself.

What a handler takes is said by its parameters: `path`, `query` and `body` are msgspec structs,
`request` is Starlette's, and the first is what all handlers share. What comes in is decoded to
these types or refused with a problem; what goes out is an object of the declared type, or a
`Response`.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Literal, get_type_hints
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from node.web.access import Role, require
from node.web.problems import Refused

FIELDS_MAX = 100
BODY_BYTES_MAX = 1024 * 1024
LOOP_BYTES_MAX = 16 * 1024
"""A longer body is decoded by a thread: YAML takes its time."""

_READER = ThreadPoolExecutor(1, "bodies")
"""One for all, so that long bodies leave the other threads to those who ask for less."""

JSON = "application/json"
POSITION = "Lota-Position"

_FORM = re.compile(r"matching regex .* - at `\$\.(\w+)`$")
"""A value that has not the form of its field; people are told of the field in its own words."""

Read = Callable[[bytes, type], Any]
_encode = msgspec.json.Encoder().encode


def read_json(data: bytes, type: type) -> Any:
    """Decode a body; nothing at all stands for an empty object."""
    return msgspec.json.decode(data or b"{}", type=type)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path.

    `answer` is the type of the document, or the media types of what is none. `body` is what the
    document says of the request, where `read` takes more than that type. `problems` are statuses
    of errors besides those of every request.
    """

    method: Literal["GET", "POST"]
    path: str
    handle: Callable[..., Awaitable[Any]]
    answer: Any
    role: Role | None = "read"
    status: int = 200
    problems: tuple[int, ...] = ()
    body: Any = None
    media: tuple[str, ...] = (JSON,)
    read: Read = read_json

    @cached_property
    def takes(self) -> Mapping[str, Any]:
        """The types of what the handler takes of a request, by where it stands."""
        return {
            name: self._hints[name] for name in ("path", "query", "body") if name in self._hints
        }

    @cached_property
    def takes_request(self) -> bool:
        """Whether the handler takes the request as it is."""
        return "request" in self._hints

    @cached_property
    def _hints(self) -> Mapping[str, Any]:
        return get_type_hints(self.handle, include_extras=True)


def routes(endpoints: Sequence[Endpoint], shared: Any) -> list[Route]:
    """Return a route for each path; a method that no endpoint has is answered with 405."""
    return [
        _route(path, {endpoint.method: endpoint for endpoint in group}, shared)
        for path, group in groupby(endpoints, lambda endpoint: endpoint.path)
    ]


def _route(path: str, by_method: Mapping[str, Endpoint], shared: Any) -> Route:
    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await _answer(by_method[method], shared, request)

    return Route(path, answer, methods=list(by_method))


async def _answer(endpoint: Endpoint, shared: Any, request: Request) -> Response:
    if endpoint.role is not None:
        require(request, endpoint.role)
    given: dict[str, Any] = {}
    for name, kind in endpoint.takes.items():
        if name == "path":
            given[name] = converted(_path(request), kind, "path")
        elif name == "query":
            given[name] = converted(_query(request, kind), kind, "query")
        else:
            given[name] = await _body(request, endpoint, kind)
    if endpoint.takes_request:
        given["request"] = request
    found = await endpoint.handle(shared, **given)
    return found if isinstance(found, Response) else written(found, endpoint.status)


def written(document: Any, status: int = 200) -> Response:
    """Return a document as an answer, with the position that it names."""
    headers = {"cache-control": "no-store"}
    position = document.get("position") if isinstance(document, Mapping) else None
    if position is not None:
        headers[POSITION] = str(position)
    return Response(_encode(document), status, headers, media_type=JSON)


def converted(given: Any, kind: Any, where: str) -> Any:
    """Return what a handler takes, from plain values. Raises `Refused` for what it does not take.

    `where` in a request they stand: in the path or the query.
    """
    try:
        found = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        hint = "GET /api/v1/openapi.json says what is asked for"
        if form := _FORM.search(str(error)):
            name = form[1]
            hint = _description(kind, name) or hint
            raise Refused(
                422, f"the {where}'s {name} cannot be {given[name]!r}", hint=hint
            ) from None
        raise Refused(422, f"the {where} is not as it has to be: {error}", hint=hint) from None
    for name, text in given.items():
        value = getattr(found, name)
        if isinstance(value, int) and str(value) != str(text):  # 0.0, 7e0 and -0 are taken for one
            raise Refused(
                422, f"the {where}'s {name} cannot be {text!r}", hint=f"write it as {value}"
            )
    return found


def _description(kind: Any, name: str) -> str:
    meant = get_type_hints(kind, include_extras=True)[name]
    return next((one.description or "" for one in getattr(meant, "__metadata__", ())), "")


def _path(request: Request) -> Mapping[str, Any]:
    """Return the values in the path by name; only the path of a file may hold what is no text."""
    for name, value in request.path_params.items():
        if name != "path" and not _is_text(value):
            raise Refused(422, "the path ends a name with a line break", hint="leave it out")
    return request.path_params


def _query(request: Request, kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the query's values by name; only a path may hold bytes that are no text."""
    text = request.scope["query_string"].decode("latin-1")
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="surrogateescape"
        )
    except ValueError:
        raise Refused(
            422, f"the query has more than {FIELDS_MAX} fields", hint="ask for less at one time"
        ) from None
    lists = lists_of(kind)
    found: dict[str, Any] = {}
    for name, value in pairs:
        if not _is_text(name) or (name != "path" and not _is_text(value)):
            raise Refused(
                422, "the query is not UTF-8, or ends a line", hint="percent-encode text as UTF-8"
            )
        if name in lists:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise Refused(422, f"{name[:40]!r} stands twice in the query", hint="give it once")
        else:
            found[name] = value
    return found


def lists_of(kind: type[msgspec.Struct]) -> set[str]:
    """Return the fields that may be given several times."""
    return {
        field.encode_name for field in msgspec.structs.fields(kind) if field.default_factory is list
    }


def _is_text(value: str) -> bool:
    """Whether it is Unicode, and no line: the `$` of a pattern lets a line break by at the end."""
    return not value.endswith("\n") and not any(
        "\ud800" <= character <= "\udfff" for character in value
    )


async def _body(request: Request, endpoint: Endpoint, kind: Any) -> Any:
    data = await _read(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if (data or media) and media not in endpoint.media:
        raise Refused(
            415,
            f"the body is of type {media or 'nothing that is said'}",
            hint=f"send it as {' or '.join(endpoint.media)}",
            headers={"accept": ", ".join(endpoint.media)},
        )
    try:
        if len(data) > LOOP_BYTES_MAX:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(_READER, endpoint.read, data, kind)
        return endpoint.read(data, kind)
    except msgspec.ValidationError as error:
        raise Refused(
            422, f"the body is not as it has to be: {error}", hint="see /api/v1/openapi.json"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body does not decode: {error}", hint="send JSON") from None


async def _read(request: Request) -> bytes:
    data = bytearray()
    said = request.headers.get("content-length", "")
    too_long = said.isascii() and said.isdigit() and int(said[:18]) > BODY_BYTES_MAX
    if not too_long:
        async for chunk in request.stream():
            data += chunk
            too_long = len(data) > BODY_BYTES_MAX
            if too_long:
                break
    if too_long:
        raise Refused(
            413, f"the body has more than {BODY_BYTES_MAX:,} bytes", hint="send less at one time"
        )
    return bytes(data)


def statuses(endpoint: Endpoint) -> Iterable[int]:
    """Return the statuses of the problems that an endpoint may answer with."""
    own = {*endpoint.problems, 429, 500, 503}
    if endpoint.role is not None:
        own |= {401, 403}
    if endpoint.takes:
        own.add(422)
    if "body" in endpoint.takes:
        own |= {400, 413, 415}
    return sorted(own)
