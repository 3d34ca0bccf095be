"""The timeline of one job: for each kind of event when it came first and last, and how often.

It is bounded by the number of kinds, whatever the size of the job.
"""

from typing import Any

import msgspec

from events.entry import Entry
from projections.state import Mutable


class Stretch(Mutable):
    """All events of one kind so far; times are those in the events, by their authors' clocks."""

    role: str
    first: str
    last: str
    events: int = 0
    items: int = 0
    authors: set[str] = set()


class Timeline(Mutable):
    """The stretches of one job, by kind, in the order of their first events."""

    stretches: dict[str, Stretch] = {}

    def note(self, entry: Entry) -> None:
        """Take in one more message of the job, in log order."""
        for part in entry.parts():
            self._note(part)

    def _note(self, entry: Entry) -> None:
        event = entry.event
        kind = entry.address.kind
        stretch = self.stretches.get(kind)
        if stretch is None:
            stretch = self.stretches[kind] = Stretch(
                role=entry.address.role, first=event.time, last=event.time
            )
        stretch.last = max(stretch.last, event.time)
        stretch.first = min(stretch.first, event.time)
        stretch.events += 1
        stretch.items += item_count(event.data)
        stretch.authors.add(entry.address.author)

    def rows(self) -> list[dict[str, Any]]:
        """Return the stretches as plain objects."""
        return [
            {
                "kind": kind,
                "role": stretch.role,
                "first": stretch.first,
                "last": stretch.last,
                "events": stretch.events,
                "items": stretch.items,
                "authors": sorted(stretch.authors),
            }
            for kind, stretch in self.stretches.items()
        ]


def item_count(data: msgspec.Struct) -> int:
    """Return how many items an event's data lists; an event that lists none is one item."""
    values = [getattr(data, name) for name in data.__struct_fields__]
    return max((len(value) for value in values if isinstance(value, tuple)), default=1) or 1
