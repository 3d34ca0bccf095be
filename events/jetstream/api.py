"""Requests to the JetStream API, with the server's errors as ours.

Source of the contract: the JetStream wire API reference and nats-server's `errors.json`.
"""

from base64 import b64decode
from typing import Any, TypeVar

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from events.errors import LogError, LogUnavailable, NotAdmitted
from events.heeding import heeding

REQUEST_TIMEOUT_S = 5.0

NO_PEERS = 10005
NO_MESSAGE = 10037
STREAM_NOT_FOUND = 10059
STREAM_NAME_IN_USE = 10058
WRONG_LAST_SEQUENCE = 10071
WRONG_LAST_SEQUENCE_IN_FLIGHT = 10164
UNAVAILABLE = 503
"""The HTTP-like code of all errors that pass: no leader, starting up, JetStream off."""


class ApiError(msgspec.Struct, frozen=True):
    """The server's word on why it refused: `code` as in HTTP, `err_code` exact."""

    code: int
    err_code: int = 0
    description: str = ""


class Refused(LogError):
    """The server answered with an error; `error` says which."""

    def __init__(self, what: str, error: ApiError) -> None:
        super().__init__(f"{what}: {error.description} (error {error.err_code})")
        self.error = error


class StreamMissing(Refused, LogUnavailable):
    """The server has no such stream (yet, or any more): who waits for a server waits for it too."""

    def __init__(self, what: str, error: ApiError) -> None:
        super().__init__(what, error)
        self.hint = "was the server wiped, or its store moved? It has no log as it is"


class _Failure(msgspec.Struct):
    error: ApiError | None = None


class StoredMessage(msgspec.Struct):
    """A message as `STREAM.MSG.GET` gives it; headers and body are base64, `time` is RFC 3339."""

    seq: int
    subject: str = ""
    time: str = ""
    hdrs: str = ""
    data: str = ""

    def has_header(self, name: str, value: str) -> bool:
        """Say whether the message was stored with this header line."""
        return f"{name}: {value}".encode() in b64decode(self.hdrs).split(b"\r\n")


class _MessageAnswer(msgspec.Struct):
    message: StoredMessage


T = TypeVar("T")


async def call(
    client: Client,
    subject: str,
    body: Any,
    answer: type[T],
    *,
    timeout_s: float = REQUEST_TIMEOUT_S,
) -> T:
    """Ask `$JS.API.<subject>` and decode the answer.

    Raises `Refused` when the server says no, `StreamMissing` when it has no such stream,
    `LogUnavailable` when it says nothing, and `NotAdmitted` when our user may not ask.
    """
    try:
        reply = await heeding(
            client.request(f"$JS.API.{subject}", msgspec.json.encode(body), timeout=timeout_s)
        )
    except (NatsError, OSError) as error:
        if denies(client.last_error, f"$JS.API.{subject}"):
            raise not_admitted(f"$JS.API.{subject}") from error
        raise LogUnavailable(
            f"the server did not answer {subject} ({str(error) or type(error).__name__})",
            hint="is the server up, JetStream enabled, and the request permitted?",
        ) from error
    if failure := msgspec.json.decode(reply.data, type=_Failure).error:
        if failure.code == UNAVAILABLE:
            raise LogUnavailable(
                f"JetStream is not available: {failure.description}",
                hint="is it enabled for this server and account? See nats.conf",
            )
        if failure.err_code == STREAM_NOT_FOUND:
            raise StreamMissing(subject, failure)
        raise Refused(subject, failure)
    return msgspec.json.decode(reply.data, type=answer)


async def last_message(client: Client, stream: str, filter: str) -> StoredMessage | None:
    """Return the last message by `filter` as the stream's leader knows it, not a replica."""
    return await _message(client, stream, {"last_by_subj": filter})


async def message_at(client: Client, stream: str, position: int) -> StoredMessage | None:
    """Return the message at a position as the leader knows it, None if there is none any more."""
    return await _message(client, stream, {"seq": position})


async def _message(client: Client, stream: str, which: dict[str, Any]) -> StoredMessage | None:
    try:
        found = await call(client, f"STREAM.MSG.GET.{stream}", which, _MessageAnswer)
    except Refused as refusal:
        if refusal.error.err_code == NO_MESSAGE:
            return None
        raise
    return found.message


def denies(error: Exception | None, subject: str) -> bool:
    """Say whether what nats-py keeps as its last error, in lower case, forbids `subject`.

    A server answers nothing to what it does not permit; it tells the connection, once.
    """
    said = str(error)
    return "permissions violation for publish" in said and f'"{subject.lower()}"' in said


def not_admitted(subject: str) -> NotAdmitted:
    """The error for a subject that our user may not publish to."""
    return NotAdmitted(
        f"the server does not let this process publish to {subject}",
        hint="permit it for the user in the server's configuration",
    )
