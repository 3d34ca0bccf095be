"""The drivers that this node has open: one for each publisher of a spec, while its values hold.

Credentials are read at every use. When a value has changed, the next use opens another driver, and
the old one is closed once nobody uses it: an upload that runs is not cut off.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from events.errors import PublishError
from events.spec import PublisherSpec
from node.credentials import Credentials
from publishers.port import Publisher, Workplace

OPEN_MAX = 64
CHECK_S = 60.0
CLOSE_S = 10.0

OpenDriver = Callable[[str, str, Mapping[str, str], Workplace], Publisher]
"""As `publishers.open_publisher`: a driver's name, a target, the credential's values."""

log = logging.getLogger(__name__)


class Destination:
    """One open driver, and the values that it was opened with."""

    def __init__(self, publisher: Publisher, values: Mapping[str, str]) -> None:
        self.publisher = publisher
        self.values = values
        self.users = 0
        self.dropped = False
        self._checked = False
        self._checking: asyncio.Task[None] | None = None

    async def check(self) -> None:
        """Check the place once; those who come meanwhile share the answer, later ones ask again.

        Raises PublishError.
        """
        if self._checked:
            return
        if self._checking is None:
            self._checking = asyncio.ensure_future(self._check())
            self._checking.add_done_callback(self._end_check)
        await asyncio.shield(self._checking)

    async def close(self) -> None:
        """Close the driver; one that cannot be closed is reported and forgotten."""
        if self._checking is not None:
            self._checking.cancel()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self.publisher.close()
        except Exception:
            log.warning("publisher %s did not close", self.publisher.name, exc_info=True)

    async def _check(self) -> None:
        try:
            async with asyncio.timeout(CHECK_S):
                await self.publisher.check()
        except TimeoutError:
            raise PublishError(
                "timeout",
                f"the service of {self.publisher.name} did not answer within {CHECK_S:g} s",
                hint="is it up, and is the credential's address right?",
            ) from None
        self._checked = True

    def _end_check(self, task: "asyncio.Task[None]") -> None:
        self._checking = None
        if not task.cancelled():
            task.exception()  # nobody may wait for it any more


class Destinations:
    """All drivers of a node; the one that was used longest ago gives way to another."""

    def __init__(
        self, credentials: Credentials, workplace: Workplace, open_driver: OpenDriver
    ) -> None:
        self._credentials = credentials
        self._open_driver = open_driver
        self._workplace = workplace
        self._open: OrderedDict[PublisherSpec, Destination] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._users = 0
        self._unused = asyncio.Event()

    @asynccontextmanager
    async def use(self, spec: PublisherSpec, target: str) -> AsyncIterator[Destination]:
        """Give the driver of a spec, opened for `target`; it stays open inside.

        Raises PublishError when the node has no such credential, or the driver cannot use it.
        """
        used = await self._opened(spec, target)
        used.users += 1
        self._users += 1
        try:
            yield used
        finally:
            used.users -= 1
            self._users -= 1
            if used.dropped and not used.users:
                self._close(used)
            if not self._users:
                self._unused.set()

    async def close(self) -> None:
        """Close all drivers; what is still in use has a while to come to its end."""
        if self._users:
            self._unused.clear()
            try:
                async with asyncio.timeout(CLOSE_S):
                    await self._unused.wait()
            except TimeoutError:
                log.warning("%d publications do not end", self._users)
        for used in self._open.values():
            self._close(used)
        self._open.clear()
        while self._closing:
            await asyncio.wait(self._closing)

    async def _opened(self, spec: PublisherSpec, target: str) -> Destination:
        values: Mapping[str, str] = {}
        if spec.credential:
            values = await asyncio.to_thread(self._credentials.read, spec.credential)
        known = self._open.get(spec)
        if known is not None and known.values == values:
            self._open.move_to_end(spec)
            return known
        driver = self._open_driver(spec.driver, target, values, self._workplace)
        fresh = Destination(driver, values)
        if known is not None:
            self._drop(spec)
        elif len(self._open) >= OPEN_MAX:
            self._drop(next(iter(self._open)))
        self._open[spec] = fresh
        return fresh

    def _drop(self, spec: PublisherSpec) -> None:
        dropped = self._open.pop(spec)
        dropped.dropped = True
        if not dropped.users:
            self._close(dropped)

    def _close(self, used: Destination) -> None:
        task = asyncio.ensure_future(used.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
