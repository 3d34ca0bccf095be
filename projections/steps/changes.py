"""The difference of two pictures: what an event changed, value by value."""

from collections.abc import Iterator

import msgspec

from projections.steps.picture import Picture, Value

QUIET: frozenset[Value] = frozenset({None, 0, ""})
"""Values of a new part that say nothing; 0 is also no."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """One value of one part, as JSON has it; `node` has the part in hand, if anybody has.

    `before` is null when the part is `new`, and when there was nothing to say.
    """

    what: str
    name: str
    node: str
    field: str
    before: Value
    after: Value
    new: bool = False


def changes(before: Picture, after: Picture) -> Iterator[Change]:
    """Yield what differs, part by part. Nothing of the fold's state ever goes away."""
    for part, fields in after.items():
        known = before.get(part, {})
        node = part.node or str(fields.get("node") or "")
        for field, value in fields.items():
            old = known.get(field)
            if value != old and (known or value not in QUIET):
                yield Change(part.what, part.name, node, field, old, value, not known)
