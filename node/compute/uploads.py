"""Performs publications with credentials that never leave the node.

Each publication has a time limit below the one after which the log gives it to another node, and
each service has room for a few at a time, so that one that hangs holds up no other. Small results
that go to a folder of this machine need no room: they share a group commit, thousands a second.

What failed is told on the log, so every text goes through `redacted` first.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, cast
from weakref import WeakValueDictionary

from events.errors import PublishError
from events.inputs.file_uri import allowed, to_uri
from events.spec import PublisherSpec
from node.compute.destinations import Destination, Destinations, OpenDriver
from node.compute.tasks import Upload
from node.credentials import Credentials
from node.redaction import redacted
from publishers import open_publisher
from publishers.port import (
    Location,
    PaidPublisher,
    Result,
    RootPublisher,
    SmallResult,
    Workplace,
)

AT_ONCE = 8
"""Publications at one time with one credential of one driver."""
FOLDERS_AT_ONCE = 4
"""Folders at one time to this machine's own disk; each takes a thread of the few there are."""
MESSAGE_CHARS_MAX = 200

log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What is to be published where: a publisher of the job's spec, the slot's key, the CID.

    `paid` says that the log counts each upload there as a payment.
    """

    spec: PublisherSpec
    key: str
    cid: str
    paid: bool


class Uploads:
    """The publications of this node, each of at most `limit_s`.

    `local_root` is where the local publisher writes unless the job names a folder, which must lie
    below one of the operator's `allow` prefixes.
    """

    def __init__(
        self,
        local_root: Path,
        allow: tuple[str, ...],
        workplace: Workplace,
        credentials: Credentials,
        *,
        limit_s: float,
        open_driver: OpenDriver = open_publisher,
    ) -> None:
        self._local_root = local_root
        self._allow = allow
        self._limit_s = limit_s
        self._destinations = Destinations(credentials, workplace, open_driver)
        self._rooms: WeakValueDictionary[tuple[str, str], asyncio.Semaphore] = WeakValueDictionary()

    async def publish(
        self,
        order: Order,
        upload: Upload,
        load: Callable[[], Awaitable[Result | None]],
        still_owed: Callable[[], Awaitable[bool]],
    ) -> None:
        """Publish the result that `load` finds, and note in `upload` what came of it.

        Another result at the key was published by a node that the log has given up on since, so it
        gives way; but only when the log, read anew by `still_owed`, still asks this node.
        """

        async def put(attempt: _Attempt) -> Location:
            result = await load() if order.spec.driver == "local" else None
            async with self._room(order.spec, result), self._driver(order, attempt) as used:
                result = result or await load()
                if result is None:
                    raise _gone(order)
                await used.check()
                attempt.paying = order.paid
                try:
                    return await used.publisher.publish(result, order.key, cid=order.cid)
                except PublishError as error:
                    if error.code != "conflict" or not await still_owed():
                        raise
                publisher = used.publisher
                return await publisher.publish(result, order.key, cid=order.cid, replace=True)

        await self._perform(order, upload, put)

    async def lookup(self, order: Order, upload: Upload) -> None:
        """Ask a paid service what an earlier try came to, and note the answer in `upload`.

        Only a node that had begun to pay knows that nothing was paid.
        """

        async def ask(attempt: _Attempt) -> Location:
            attempt.paying = True
            async with self._room(order.spec, None), self._driver(order, attempt) as used:
                if not used.publisher.paid:
                    raise PublishError("free", f"{order.spec.driver} is asked about no payment")
                found = await cast("PaidPublisher", used.publisher).lookup(order.key, cid=order.cid)
                if found is not None:
                    return found
                if not upload.begun:
                    what = "it was not paid from here; whether another node has paid is unknown"
                    raise PublishError("unknown", what)
                raise PublishError("unpaid", "nothing was published or paid yet", unpaid=True)

        await self._perform(order, upload, ask)

    async def publish_root(
        self, order: Order, upload: Upload, load: Callable[[], Awaitable[bytes]]
    ) -> None:
        """Publish a job's root, the CAR that `load` gives, and note in `upload` what came of it."""

        async def put(attempt: _Attempt) -> Location:
            car = await load()
            async with self._room(order.spec, None), self._driver(order, attempt) as used:
                await used.check()
                publisher = cast("RootPublisher", used.publisher)
                return await publisher.publish_root(car, cid=order.cid)

        await self._perform(order, upload, put)

    def gone(self, upload: Upload, order: Order) -> None:
        """Note that this node no longer has the result that it should publish."""
        _failed(upload, _gone(order))

    async def close(self) -> None:
        """Close every publisher."""
        await self._destinations.close()

    async def _perform(
        self, order: Order, upload: Upload, work: Callable[["_Attempt"], Awaitable[Location]]
    ) -> None:
        """Do the work, and note in `upload` how it ended."""
        attempt = _Attempt()
        try:
            location = await work(attempt)
        except PublishError as error:
            problem = error
        except TimeoutError:
            problem = PublishError("timeout", f"not published within {self._limit_s:g} s")
        except OSError as error:
            problem = PublishError("io", f"{error.strerror}: {error.filename}")
        except Exception as error:
            log.exception("publishing %s to %s failed", order.key, order.spec.driver)
            problem = PublishError("internal", f"{type(error).__name__}: {error}")
        else:
            upload.uri, upload.cid = redacted(location.uri), location.cid
            upload.size_bytes = location.size_bytes
            upload.duration_ms = round((time.monotonic() - attempt.began) * 1000)
            upload.state = "done"
            return
        problem.unpaid = problem.unpaid or (order.paid and not attempt.paying)
        _failed(upload, problem)

    @asynccontextmanager
    async def _driver(self, order: Order, attempt: "_Attempt") -> AsyncIterator[Destination]:
        """Give the open driver of an order; the time limit and the duration count from here."""
        attempt.began = time.monotonic()
        target = self._target(order.spec)
        async with (
            asyncio.timeout(self._limit_s),
            self._destinations.use(order.spec, target) as used,
        ):
            yield used

    @asynccontextmanager
    async def _room(self, spec: PublisherSpec, result: Result | None) -> AsyncIterator[None]:
        """Wait for a place among the few publications that a service gets at one time."""
        if spec.driver == "local" and isinstance(result, SmallResult):
            yield
            return
        key = (spec.driver, spec.credential)
        room = self._rooms.get(key)
        if room is None:
            places = FOLDERS_AT_ONCE if spec.driver == "local" else AT_ONCE
            room = self._rooms[key] = asyncio.Semaphore(places)
        async with room:
            yield

    def _target(self, spec: PublisherSpec) -> str:
        if spec.driver != "local":
            return spec.target
        if not spec.target:
            return str(self._local_root)
        if not allowed(to_uri(spec.target), self._allow):
            raise PublishError(
                "denied",
                f"this node may not write to {spec.target}",
                permanent=True,
                hint="leave the target out, or have the operator add it with --allow-path",
            )
        return spec.target


class _Attempt:
    """One try: when it began, and whether it may have begun to pay."""

    def __init__(self) -> None:
        self.began = 0.0
        self.paying = False


def _gone(order: Order) -> PublishError:
    return PublishError("gone", f"the result of {order.key} is not here any more", permanent=True)


def _failed(upload: Upload, error: PublishError) -> None:
    """Note a failure; a message is cut only when it is redacted, or half a secret would stay."""
    upload.code, upload.message = error.code, redacted(str(error))[:MESSAGE_CHARS_MAX]
    upload.permanent, upload.unpaid = error.permanent, error.unpaid
    upload.state = "failed"
