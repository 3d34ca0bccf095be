"""Whether who writes has ever joined, in the role that it writes in.

A node may act a moment before its own `node.joined` is stored, so an author that has not joined yet
is only a stranger when it has not joined by the end of the log.
"""

from collections import Counter

from events.entry import Entry
from projections.audit.finding import Finding
from projections.audit.ledger import SUSPENDED_MAX, Ledger, about

ROLES = {"r": "requester", "c": "compute"}


class Authors:
    """Who has joined in which role, and what the others have written so far."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._joined: set[tuple[str, str]] = set()
        self._suspended: dict[tuple[str, str], list[Finding]] = {}
        self._more: Counter[tuple[str, str]] = Counter()
        self._kept = 0

    def join(self, name: str, roles: tuple[str, ...]) -> None:
        """Note that a node has joined: what it wrote before was its own to write."""
        for role in roles:
            key = name, role
            self._joined.add(key)
            self._kept -= len(self._suspended.pop(key, ()))
            self._more.pop(key, None)

    def check(self, entry: Entry) -> None:
        """Suspend an event of an author that has not joined."""
        address = entry.address
        role = ROLES.get(address.role)
        if role is None or (address.author, role) in self._joined or address.kind == "node.joined":
            return
        if address.kind in ("node.drained", "node.left"):
            return
        key = address.author, role
        if self._kept >= SUSPENDED_MAX:
            self._more[key] += 1
            return
        self._kept += 1
        what = f"{address.author} has never joined as {role}"
        right = f"only a {role} that has joined writes this"
        self._suspended.setdefault(key, []).append(about(entry, "illegal", 11, what, right))

    def finish(self) -> None:
        """Write down what strangers wrote."""
        for findings in self._suspended.values():
            for finding in findings:
                self._ledger.add(finding)
        self._ledger.found += self._more.total()
