"""The publishers that hold a job's copies, opened to read from them with the reader's credentials.

What the log says of a copy is a stranger's word. A URI is handed to the driver that the job names,
with the job's target, and a driver reads nothing that lies outside of them.
"""

import asyncio
from collections.abc import Callable, Mapping

from events.spec import PublisherSpec
from publishers import open_publisher
from publishers.port import Copy, Location, Publisher, Workplace

Credentials = Callable[[str], Mapping[str, str]]
"""Gives the values of a credential by its name; blocks. Raises LotaError when there is none."""


class OpenPublishers:
    """Each publisher that was asked for once, until `close`."""

    def __init__(self, workplace: Workplace, credentials: Credentials) -> None:
        self._workplace = workplace
        self._credentials = credentials
        self._opened: dict[PublisherSpec, Publisher] = {}
        self._opening = asyncio.Lock()

    async def copy(self, spec: PublisherSpec, location: Location) -> Copy:
        """Return a copy to read from. Raises LotaError when it cannot be opened from here."""
        async with self._opening:
            publisher = self._opened.get(spec)
            if publisher is None:
                publisher = self._opened[spec] = await self._open(spec)
        return publisher.copy(location)

    async def close(self) -> None:
        """Close them; safe to repeat."""
        opened, self._opened = self._opened, {}
        for publisher in opened.values():
            await publisher.close()

    async def _open(self, spec: PublisherSpec) -> Publisher:
        values: Mapping[str, str] = {}
        if spec.credential:
            values = await asyncio.to_thread(self._credentials, spec.credential)
        return open_publisher(spec.driver, spec.target, values, self._workplace)
