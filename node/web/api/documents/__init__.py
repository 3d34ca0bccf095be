"""What the API's answers are, as types: exactly the documents that are sent."""

import msgspec


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all: every field is there, and nothing else is."""


class AsOf(Document, frozen=True):
    """As of which position of the log an answer is, and when its newest event happened."""

    position: int
    time: str | None
