"""What the handlers of the API share, and how they find the point of the log that is asked for."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from events.client.points import read_point
from events.clock import now_ms
from events.errors import NotFound
from events.log import Readable
from events.times import parse_ms, rfc3339
from projections.lanes import Lanes
from projections.network import Network
from projections.nodes import Nodes
from projections.state import Job
from projections.timeline import Timeline


class Past(Protocol):
    """The network as of a position."""

    network: Network
    position: int
    time_ms: int


class JobRows(Protocol):
    """A page of jobs."""

    rows: list[dict[str, Any]]
    next: int | None


class JobThen(Protocol):
    """A job as of a position."""

    job: Job
    nodes: Nodes
    timeline: Timeline
    lanes: Lanes


class Change(Protocol):
    """What has changed since the change before; `jobs` is None when there are many."""

    position: int
    time_ms: int
    jobs: Sequence[str] | None
    nodes: bool


class Watching(Protocol):
    """What the API asks of an observer."""

    log: Readable
    network: Network
    position: int
    time_ms: int
    ready: asyncio.Event
    failed: BaseException | None

    async def at(self, position: int | None) -> Past: ...
    async def position_at(self, time_ms: int) -> int: ...
    async def jobs(
        self,
        *,
        past: Past,
        states: Sequence[str],
        labels: Sequence[str],
        text: str,
        before: int | None,
        limit: int,
    ) -> JobRows: ...
    async def job(self, id_or_start: str, past: Past) -> JobThen: ...
    def changes(self) -> AsyncIterator[Change]: ...


@dataclass(frozen=True)
class Api:
    """What all handlers share."""

    observer: Watching

    async def past(self, as_of: str) -> Past:
        """Return the network as it was at a point, or as it is.

        Raises NotFound for a point that is not there.
        """
        return await self.observer.at(await self.position(as_of) if as_of else None)

    async def position(self, as_of: str) -> int:
        """Return the position that a point names: the last one stored by then."""
        point = read_point(as_of, now_ms())
        if isinstance(point, str):
            return await self.observer.position_at(parse_ms(point))
        if point > self.observer.position:
            raise NotFound(
                f"the log has no position {point} yet", hint=f"its last is {self.observer.position}"
            )
        return point


def when(past: Past) -> dict[str, Any]:
    """Return as of which position and time a document is."""
    return {"position": past.position, "time": rfc3339(past.time_ms) if past.time_ms else None}
