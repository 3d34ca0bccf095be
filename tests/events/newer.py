"""Events as a newer version of Lota would write them."""

import json
from typing import NamedTuple

from events.codec import kind_of
from events.ids import new_id
from events.log import Log
from events.subjects import Role, subject
from events.times import rfc3339


class Message(NamedTuple):
    """A message to be stored."""

    subject: str
    body: bytes
    id: str


def newer(name: str, job: str, role: Role, author: str, *, ms: int = 1_790_000_600_000) -> Message:
    """Return an event of a type that this version does not know, whole but for that."""
    name_of_event = new_id()
    document = {
        "type": name,
        "id": name_of_event,
        "source": f"/lota/{role}/{author}",
        "subject": job,
        "time": rfc3339(ms),
        "causationid": name_of_event,
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "data": {"untold": [1, 2]},
    }
    body = json.dumps(document).encode()
    return Message(subject(job, role, author, kind_of(name)), body, name_of_event)


async def store(log: Log, message: Message) -> int:
    """Store a message and return its position."""
    return await log.append(message.subject, message.body, id=message.id)
