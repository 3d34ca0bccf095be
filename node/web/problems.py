"""Every error over HTTP as a problem document (RFC 9457): what went wrong, and what to do."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from events.errors import (
    Ambiguous,
    AppendTimeout,
    ContentError,
    InvalidInput,
    InvalidSpec,
    JobFailed,
    JobIdTaken,
    LogUnavailable,
    LotaError,
    NodeSilent,
    NotFound,
    PublishError,
    ReadOnlyLog,
    WrongExpectedPosition,
    WrongUsage,
)
from node.redaction import redacted

MEDIA_TYPE = "application/problem+json"

STATUSES: Mapping[type[LotaError], int] = {
    NotFound: 404,
    Ambiguous: 409,
    JobFailed: 409,
    JobIdTaken: 409,
    ReadOnlyLog: 409,
    WrongExpectedPosition: 409,
    InvalidInput: 422,
    InvalidSpec: 422,
    WrongUsage: 422,
    ContentError: 502,
    PublishError: 502,
    AppendTimeout: 503,
    LogUnavailable: 503,
    NodeSilent: 504,
}

UNFORESEEN = 500
"""What stands for an error that is none of these."""

HINTS = {
    404: "GET /api/v1/openapi.json names what there is",
    405: "The header Allow names the methods that this path takes",
    500: "The log of this server says more",
}

log = logging.getLogger(__name__)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong (`title`, `detail`) and what to do about it (`hint`).

    `type` names the kind of problem for programs, `instance` is the path that was asked for.
    """

    type: str
    title: str
    status: int
    detail: str
    hint: str
    instance: str


class Refused(Exception):
    """A request that gets a problem for an answer; `headers` go with it."""

    def __init__(
        self, status: int, detail: str, *, hint: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.hint = hint
        self.headers = headers


def problem(
    path: str,
    status: int,
    detail: str,
    *,
    hint: str,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the answer that says what went wrong; no secret is shown in it."""
    title = HTTPStatus(status).phrase
    document = Problem(
        type=f"urn:lota:problem:{kind or title.lower().replace(' ', '-')}",
        title=title,
        status=status,
        detail=redacted(detail),
        hint=redacted(hint),
        instance=redacted(path),
    )
    body = msgspec.json.encode(document)
    return Response(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def refused(request: Request, error: Exception) -> Response:
    """Answer a request that cannot be served as it is."""
    assert isinstance(error, Refused)
    path = request.scope["path"]
    return problem(path, error.status, error.detail, hint=error.hint, headers=error.headers)


def failed(request: Request, error: Exception) -> Response:
    """Answer with an error that Lota raises on purpose."""
    assert isinstance(error, LotaError)
    path = request.scope["path"]
    status, kind = status_of(error)
    if status == UNFORESEEN:
        log.warning("%s %r failed: %s", request.method, path, error)
    hint = error.hint or HINTS.get(status, "")
    return problem(path, status, error.what, hint=hint, kind=kind)


def status_of(error: LotaError) -> tuple[int, str]:
    """Return the status that stands for an error, and the kind of the problem."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind], kind.__name__
    return UNFORESEEN, type(error).__name__


def mistaken(request: Request, error: Exception) -> Response:
    """Answer a request that no route takes, or not by this method."""
    assert isinstance(error, HTTPException)
    path, hint = request.scope["path"], HINTS.get(error.status_code, "")
    detail = f"{request.method} {path}: {error.detail}"
    return problem(path, error.status_code, detail, hint=hint, headers=error.headers)


def gone(_: Request, error: Exception) -> Response:
    """Answer nobody: the client left before its request was whole."""
    assert isinstance(error, ClientDisconnect)
    return Response(status_code=400)


def broken(request: Request, _: Exception) -> Response:
    """Answer where this program is wrong; the error itself goes to the log of the server alone."""
    return problem(request.scope["path"], 500, "this server made a mistake", hint=HINTS[500])
