"""A node's place in the network: it joins, says that it is present, drains and leaves.

Each start is a new incarnation. A node that reads its own loss joins again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from events.clock import now_ms
from events.errors import LogError
from events.facts import (
    NodeDrained,
    NodeDrainedData,
    NodeJoined,
    NodeJoinedData,
    NodeLeft,
    NodeLeftData,
)
from events.ids import new_id
from events.items import Capabilities
from events.log import Log, Record
from events.marks import Mark, mark_of
from events.subjects import NET
from node.bus import Bus
from node.effects import Append
from node.orders import Orders
from node.writer import Written

BEAT_S = 1.0
RETRY_S = 0.5
LEAVE_S = 2.0
HOLDS_MAX = 1_000

log = logging.getLogger(__name__)


class Membership:
    """One node's events about itself; `holds` names the executions it has in hand."""

    def __init__(
        self,
        name: str,
        capabilities: Capabilities,
        *,
        log: Log,
        bus: Bus,
        holds: Callable[[], list[str]],
    ) -> None:
        self.name = name
        self.incarnation = ""
        self.draining = False
        self._capabilities = capabilities
        self._log = log
        self._bus = bus
        self._holds = holds
        self._joining: asyncio.Task[Mark] | None = None
        self._saying: asyncio.Task[Mark] | None = None

    async def join(self) -> Mark:
        """Begin a new life on the log; return the mark of it there."""
        self.incarnation = new_id()
        data = NodeJoinedData(
            incarnation=self.incarnation,
            capabilities=self._capabilities,
            holds=tuple(self._holds()[:HOLDS_MAX]),
        )
        mark = await self._tell(NodeJoined, data)
        if self.draining:
            self._say_draining()
        return mark

    def take(self, orders: Orders) -> bool:
        """Follow orders about the node itself; return whether it takes new work no more.

        It joins again when it is this life that was given up on. A node that is asked to drain says
        so once; its next start is a life that takes work again.
        """
        if orders.decision == self.incarnation and (self._joining is None or self._joining.done()):
            log.warning("%s was given up on; it joins again", self.name)
            self._joining = asyncio.ensure_future(self.join())
        if orders.drain and orders.drain == self.incarnation and not self.draining:
            log.warning("%s was asked to drain; it finishes what it has", self.name)
            self.draining = True
            self._say_draining()
        return self.draining

    def _say_draining(self) -> None:
        data = NodeDrainedData(incarnation=self.incarnation)
        self._saying = asyncio.ensure_future(self._tell(NodeDrained, data))

    async def leave(self) -> None:
        """Say that this life ends in good order; without a server it just ends."""
        for task in (self._joining, self._saying):
            if task is not None:
                task.cancel()
        if not self.incarnation:
            return
        try:
            data = NodeLeftData(incarnation=self.incarnation)
            await asyncio.wait_for(self._tell(NodeLeft, data, repeat=False), LEAVE_S)
        except (LogError, TimeoutError) as error:
            log.warning("%s could not say that it leaves: %s", self.name, error)

    async def beat(self) -> None:
        """Say every second that the node is present, until cancelled."""
        while True:
            self._bus.beat(self.name)
            await asyncio.sleep(BEAT_S)

    async def _tell(self, kind: Any, data: Any, *, repeat: bool = True) -> Mark:
        """Append an event about this node; a repeat has the same id, so it is stored once."""
        effect = Append(job=NET, kind=kind, data=data, cause="")
        written = Written(effect, author=self.name, role="c", now_ms=now_ms())
        while True:
            try:
                appended = self._log.append(written.subject, written.body, id=written.event.id)
                position = await appended
            except LogError:
                if not repeat:
                    raise
                await asyncio.sleep(RETRY_S)
            else:
                return mark_of(Record(position, written.subject, written.body))
