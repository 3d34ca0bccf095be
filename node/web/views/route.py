"""Where a page is: its name, what it is about, the moment, and what was chosen on it.

All of that stands in the address behind its `#`, and in the same words in what the browser asks
for: `#/jobs/ID?shard=3&at=77` is made of `/ui/view/jobs/ID?shard=3&at=77`.
"""

from collections.abc import Mapping
from typing import Literal, Self
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

START = "network"
FIELDS_MAX = 100

Offer = Literal["moments", "pages", "output", "save", "cancel"]
"""What can be done where a page is shown: go to another moment, to other pages, read what commands
printed and made, save the job as a file, cancel it."""


class Route(msgspec.Struct, frozen=True):
    """The address of a page, and what is offered on it."""

    page: str
    id: str = ""
    query: Mapping[str, str] = {}
    offers: frozenset[Offer] = frozenset()

    @classmethod
    def of(cls, path: str, query: str = "", offers: frozenset[Offer] = frozenset()) -> Self:
        """Read an address. Raises ValueError for one with far too many fields."""
        name, _, about = path.strip("/").partition("/")
        found: dict[str, str] = {}
        for key, value in parse_qsl(query, keep_blank_values=True, max_num_fields=FIELDS_MAX):
            found.setdefault(key, value)
        return cls("job" if about else name or START, about, found, offers)

    @property
    def at(self) -> str | None:
        """The moment that is asked for, a position or a time; None is now."""
        return self.query.get("at") or None

    def href(self, **changes: str | int | None) -> str:
        """Return the address of this page with some choices changed; None takes one away."""
        query = {**self.query, **changes}
        path = f"jobs/{quote(self.id, safe='')}" if self.id else self.page
        return _address(path, {name: value for name, value in query.items() if value is not None})

    def elsewhere(self, path: str, **query: str | int) -> str:
        """Return the address of another page at the same moment."""
        return _address(path, query if self.at is None else {**query, "at": self.at})


def _address(path: str, query: Mapping[str, str | int]) -> str:
    return f"#/{path}?{urlencode(query)}" if query else f"#/{path}"
