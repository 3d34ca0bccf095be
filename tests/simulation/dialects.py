"""Versions of Lota in one network: what each writes, and what it can read.

A version here is today's core with another codec: what it reads in other words becomes today's
events, and what it says goes out in its own. Nothing of the core knows of it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from events.codec import KINDS, PRESENT, AnyEvent, Codec, Document, Upcaster, encode, kind_of

Reshape = Callable[[Document], Document]


class Dialect(NamedTuple):
    """One version: `words` holds, by today's kind, its type's name there and its `data` there."""

    codec: Codec = PRESENT
    words: Mapping[str, tuple[str, Reshape]] = {}

    def say(self, event: AnyEvent) -> tuple[str, bytes]:
        """Return an event as this version stores it: its kind in the subject, and its body."""
        kind = KINDS[type(event)]
        if kind not in self.words:
            return kind, encode(event)
        name, reshape = self.words[kind]
        document = msgspec.json.decode(encode(event))
        document |= {"type": name, "data": reshape(document["data"])}
        return kind_of(name), msgspec.json.encode(document)


TODAY = Dialect()


def _as(name: str, old: Document, data: Document) -> Document:
    return {**old, "type": name, "data": data}


def _with(item: Document, name: str, other: str) -> Document:
    return {(other if key == name else key): value for key, value in item.items()}


# Yesterday bids were called accepted offers, and a proposal also said that its execution had
# started. The first was renamed since and its items reshaped, the second was split.

ACCEPTED, DONE = "lota.offers.accepted.v1", "lota.executions.done.v1"


def _was_accepted(data: Document) -> Document:
    return {"offers": [_with(bid, "offer", "number") for bid in data["bids"]]}


def _renamed(old: Document) -> list[Document]:
    bids = [_with(item, "number", "offer") for item in old["data"]["offers"]]
    return [_as("lota.bids.placed.v1", old, {"bids": bids})]


def _split(old: Document) -> list[Document]:
    done = old["data"]["done"]
    started = [{"shard": item["shard"], "attempt": item["attempt"]} for item in done]
    return [
        _as("lota.executions.started.v1", old, {"executions": started}),
        _as("lota.results.proposed.v1", old, {"proposals": done}),
    ]


SINCE_YESTERDAY: Mapping[str, Upcaster] = {
    ACCEPTED: Upcaster(("lota.bids.placed.v1",), _renamed),
    DONE: Upcaster(("lota.executions.started.v1", "lota.results.proposed.v1"), _split),
}
YESTERDAY = Dialect(
    Codec(upcasters=SINCE_YESTERDAY),
    {
        "bids.placed": (ACCEPTED, _was_accepted),
        "results.proposed": (DONE, lambda data: {"done": data["proposals"]}),
    },
)


# Tomorrow awards have another shape, in a second version of their type, and so have the starts of
# paid publications. Versions of today read neither.

AWARDED, STARTED = "lota.shards.awarded.v2", "lota.publish.started.v2"


def _awarded(old: Document) -> list[Document]:
    data = dict(old["data"])
    return [_as("lota.shards.awarded.v1", old, {"awards": data.pop("given"), **data})]


def _started(old: Document) -> list[Document]:
    return [_as("lota.publish.started.v1", old, {"starts": old["data"]["begun"]})]


TOMORROW = Dialect(
    Codec(
        upcasters={
            AWARDED: Upcaster(("lota.shards.awarded.v1",), _awarded),
            STARTED: Upcaster(("lota.publish.started.v1",), _started),
        }
    ),
    {
        "shards.awarded": (AWARDED, lambda data: {"given": data.pop("awards"), **data}),
        "publish.started": (STARTED, lambda data: {"begun": data["starts"]}),
    },
)
