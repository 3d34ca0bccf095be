"""Writes down what was decided or happened: an effect becomes an event, with an id and a time."""

from typing import Any, cast

import msgspec

from events.codec import KINDS, AnyEvent, encode
from events.ids import new_id
from events.log import Expect
from events.subjects import Role, decisions, subject
from events.times import rfc3339
from node.effects import Append


class Written:
    """An event ready to be appended; its id makes every repeat of the append harmless.

    `traceparent` is that of the job, "" if it has none.
    """

    __slots__ = ("body", "event", "expect", "subject")

    def __init__(
        self, effect: Append, *, author: str, role: Role, now_ms: int, traceparent: str = ""
    ) -> None:
        name = new_id()
        self.event: AnyEvent = effect.kind(
            id=name,
            source=f"/lota/{role}/{author}",
            subject=effect.job,
            time=rfc3339(now_ms),
            causationid=effect.cause or name,
            traceparent=traceparent or msgspec.UNSET,
            data=cast("Any", effect.data),
        )
        self.subject = subject(effect.job, role, author, KINDS[effect.kind])
        self.body = encode(self.event)
        self.expect: Expect | None = None
        if effect.fence is not None:
            self.expect = Expect(decisions(effect.job), effect.fence)
