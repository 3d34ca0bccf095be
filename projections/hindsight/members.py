"""The nodes as they were when so many events about them had been folded.

Decisions come in log order, each a little behind it and not all alike. So the latest nodes are kept
whole, and of the last events about nodes what each changed: looking back undoes them one by one.
"""

import copy
from collections import deque
from collections.abc import Mapping

from events.decisions import NodeLost, NodeQuarantined
from events.entry import Entry
from events.log import Record
from projections.hindsight.known import NODES_NEWER, Doubt
from projections.nodes import Node, Nodes, count_nodes, evolve_nodes

WINDOW = 10_000
"""Events about nodes that a decision may lie behind the log."""


class Members:
    """All nodes, now and at any of the last ten thousand events about them.

    `newer` says that some of these are only known to a newer version of Lota. `nodes` are those
    that an archived beginning has left.
    """

    def __init__(self, nodes: Nodes | None = None) -> None:
        self.nodes = nodes or Nodes()
        self.newer = False
        self._before: deque[tuple[str, Node | None]] = deque(maxlen=WINDOW)
        self._known: tuple[int, int, Mapping[str, Node]] = (0, 0, {})

    @property
    def seen(self) -> int:
        """How many events about nodes were folded."""
        return self.nodes.seen

    def fold(self, entry: Entry) -> None:
        """Fold one event about nodes, in log order."""
        event = entry.event
        name = entry.address.author
        if isinstance(event, NodeLost | NodeQuarantined):
            name = event.data.node
        member = self.nodes.members.get(name)
        self._before.append((name, copy.copy(member) if member is not None else None))
        evolve_nodes(self.nodes, entry)

    def count(self, record: Record) -> None:
        """Count a message among the events about nodes that is none."""
        self._before.append(("", None))
        count_nodes(self.nodes, record)

    def at(self, seen: int) -> Mapping[str, Node] | None:
        """Return the nodes by name as of `seen` events; None when that lies too far back."""
        back = self.nodes.seen - seen
        if back == 0:
            return self.nodes.members
        if not 0 < back <= len(self._before):
            return None
        if self._known[:2] != (seen, self.nodes.seen):
            self._known = (seen, self.nodes.seen, self._undo(back))
        return self._known[2]

    def known(self, seen: int) -> Mapping[str, Node] | Doubt:
        """Return the nodes by name as of `seen` events, or why they are not known."""
        if self.newer:
            return Doubt(NODES_NEWER)
        found = self.at(seen)
        return Doubt("the nodes have changed too often since") if found is None else found

    def _undo(self, back: int) -> Mapping[str, Node]:
        members = dict(self.nodes.members)
        for number in range(1, back + 1):
            name, before = self._before[-number]
            if before is not None:
                members[name] = before
            else:
                members.pop(name, None)
        return members
