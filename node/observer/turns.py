"""Cutting what is folded into pieces, between which others get their turn of the loop."""

from collections.abc import Iterator

from events.log import Record

MESSAGES = 250
BYTES = 1 << 18
"""Either takes some milliseconds to fold; one message may be larger."""


def in_turns(records: list[Record]) -> Iterator[list[Record]]:
    """Yield the messages in order, as many at a time as may be folded at one go."""
    piece: list[Record] = []
    size_bytes = 0
    for record in records:
        if piece and (len(piece) == MESSAGES or size_bytes + len(record.body) > BYTES):
            yield piece
            piece, size_bytes = [], 0
        piece.append(record)
        size_bytes += len(record.body)
    if piece:
        yield piece
