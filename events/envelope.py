"""The envelope of every event: one CloudEvents 1.0 document in structured JSON.

Source of the contract: the CloudEvents 1.0 specification, JSON event format, with the extension
attributes `causationid` and `traceparent`. `subject` is the job id, which is also the correlation
id; `_` for events about nodes.
"""

from typing import Literal

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, tag_field="type"):
    """What all events have in common; each subclass adds its tag and its `data`.

    `time` is RFC 3339 in UTC with milliseconds. `causationid` is the id of the event that led to
    this one; an event that starts a story names itself.
    """

    id: str
    source: str
    subject: str
    time: str
    causationid: str
    specversion: Literal["1.0"] = "1.0"
    datacontenttype: Literal["application/json"] = "application/json"
    traceparent: str | msgspec.UnsetType = msgspec.UNSET


class Data(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The base of every event's `data`: immutable, defaults left out on the wire."""


class Decided(Data, frozen=True):
    """What every decision records about its own making.

    `seen` counts the job's events that its author had folded, in log order without a gap; `seal`
    is the running hash over them (`events.seal`); `policy` names the version of the rules.
    """

    seen: int
    seal: str
    policy: str


class DecidedAmong(Decided, frozen=True, kw_only=True):
    """A decision that nodes had a part in: `members` counts the events about nodes folded by then.

    0 stands in decisions that were made before it was recorded.
    """

    members: int = 0
