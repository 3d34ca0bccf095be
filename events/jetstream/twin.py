"""Twins: copies of a log that a server holds to be looked at, and how a stream says that it is one.

The metadata of a twin's stream has the key `lota.twin`: the header of the export that it was made
from, or `importing` until all of it is there. Its messages have one header more,

    Lota-Recorded: <position> <time> [<id>]

with what the first log said, as the server that holds the twin gives positions and times of its
own. The id stands there only when it is not the message's own: where the log holds one id twice
within a short time, the server would have dropped the second message.
"""

from collections.abc import Mapping

import msgspec

from events.archive.lines import Header, Stored
from events.errors import StreamMismatch

TWIN = "lota.twin"
IMPORTING = "importing"
RECORDED = "Lota-Recorded"
MESSAGE_ID = "Nats-Msg-Id"


def twin_of(metadata: Mapping[str, str]) -> Header | None:
    """Return of what a stream is the twin, from its metadata; None for a log of its own.

    Raises StreamMismatch for one whose import has not ended.
    """
    text = metadata.get(TWIN)
    if text is None:
        return None
    if text == IMPORTING:
        raise StreamMismatch(
            "an import into this log is under way or was broken off",
            hint="wait for it, or import again: what was broken off is then made anew",
        )
    try:
        return msgspec.json.decode(text, type=Header)
    except msgspec.DecodeError as error:
        raise StreamMismatch(
            f"the stream says in {TWIN} what this version does not understand ({error})",
            hint="use the version of lota that made the twin, or a newer one",
        ) from None


def recorded_header(stored: Stored, *, repeated: bool) -> str:
    """Return the value that keeps what the first log said of a message."""
    return f"{stored.position} {stored.time}" + (f" {stored.id}" if repeated else "")


def as_recorded(
    position: int, subject: str, time: str, headers: Mapping[str, str], body: bytes
) -> Stored:
    """Return a message as the first log had it: `position` and `time` are the server's own."""
    message_id = headers.get(MESSAGE_ID, "")
    recorded = headers.get(RECORDED)
    if recorded is not None:
        first, _, rest = recorded.partition(" ")
        time, _, repeated_id = rest.partition(" ")
        position, message_id = int(first), repeated_id or message_id
    return Stored(position=position, subject=subject, time=time, id=message_id, body=body)
