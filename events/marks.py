"""Marks: messages that are remembered, to know the log again that they stand in."""

import hashlib

import msgspec

from events.log import EVERYTHING, Record

SHOWN = 12
"""Characters of a digest that a message shows."""


class Mark(msgspec.Struct, frozen=True):
    """One message of a log: where it is, and the sha256 of its subject and body as hex."""

    position: int
    digest: str
    subject: str = EVERYTHING

    def __str__(self) -> str:
        return f"event {self.position:,} ({self.digest[:SHOWN]})"


def mark_of(record: Record) -> Mark:
    """Return the mark of a message."""
    digest = hashlib.sha256(record.subject.encode() + b"\n" + record.body).hexdigest()
    return Mark(record.position, digest, record.subject)
