"""What an audit says: its findings, and the counts of all that was in order."""

from typing import Literal

import msgspec

Kind = Literal["foreign", "newer", "forged", "illegal", "unproven", "damaged"]
"""Foreign is no event of ours, newer is one that only a newer version of Lota knows, forged is not
what or whose it says, illegal is what a rule forbids, unproven is a decision that does not follow
from the log, damaged is a file that was changed."""

FORM = 0
"""In place of a rule's number: the form of messages (`events.subjects`, `events.envelope`)."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with an event; `rule` is a number of docs/protocol.md, or 0."""

    position: int
    kind: Kind
    rule: int
    job: str
    type: str
    author: str
    event: str
    what: str
    right: str


class Scope(msgspec.Struct, frozen=True):
    """What the audited messages hold of their log.

    `start` says that they begin where the log began, so that a job without a submission never had
    one. `nodes` says that all events about nodes are there, so that they can be counted.
    """

    start: bool = True
    nodes: bool = True


WHOLE = Scope()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The audit of one log.

    `late` counts items that changed nothing and `repeated` events that were stored twice: both are
    legal. `outside` counts events of jobs that began before the audited part. `proved` counts by
    subject what was worked out again and found right, `unprovable` by reason what the log does not
    hold enough for. `found` counts all findings, of which the first stand in `findings`.
    """

    first: int
    last: int
    events: int
    jobs: int
    closed: int
    late: int
    repeated: int
    outside: int
    proved: dict[str, int]
    unprovable: dict[str, int]
    found: int
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing was illegal, forged or unproven."""
        return not self.found
