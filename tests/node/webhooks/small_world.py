"""A log and a bucket in memory, requesters that deliver from them, and whoever receives."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

from events.memory import MemoryKeyValues, MemoryLog
from events.selection import filters
from events.subjects import subject
from node.credentials import Credentials
from node.webhooks.book import Pace
from node.webhooks.registration import Webhook, webhook_id
from node.webhooks.registry import Listed, Registry
from node.webhooks.sending import Sender
from node.webhooks.service import Webhooks
from projections.nodes import Nodes
from tests.lota_process import PATIENCE_S
from tests.servers.webhooks import Delivered

SECRET = "a secret of twenty-four bytes or more"
QUICK = Pace(first_ms=10, longest_ms=40, keep_up_ms=50)


class SmallWorld:
    """Its requesters think that those of `requesters` are there."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.values = MemoryKeyValues()
        self.registry = Registry(self.values)
        self.first_position = 1
        self.requesters: tuple[str, ...] = ("r1",)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._count = 0

    def start(
        self,
        name: str = "r1",
        *,
        pace: Pace = QUICK,
        answer_s: float = 20,
        hosts: tuple[str, ...] = ("127.0.0.1",),
        secrets: Mapping[str, str] = {"hooks": SECRET},
        thinks: Callable[[], tuple[str, ...]] | None = None,
    ) -> None:
        """Start a requester's part in this; `thinks` is whom it takes to be there."""
        requesters = thinks or (lambda: self.requesters)
        variables = {f"LOTA_CRED_{k.upper()}_SECRET": value for k, value in secrets.items()}
        webhooks = Webhooks(
            name,
            events_log=self.log,
            first_position=self._first_position,
            values=_Unclosed(self.values),
            nodes=lambda: Nodes(requesters=requesters()),
            credentials=Credentials(variables),
            hosts=hosts,
            sender=Sender("test", answer_s=answer_s),
            chance=lambda: 0.1,
            pace=pace,
        )
        self._running[name] = asyncio.ensure_future(webhooks.run())

    async def _first_position(self) -> int:
        return self.first_position

    async def stop(self, name: str = "r1") -> None:
        """Stop a requester in good order."""
        task = self._running.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def close(self) -> None:
        """Stop all."""
        for name in list(self._running):
            assert not self._running[name].done(), "no trouble with webhooks may end a requester"
            await self.stop(name)

    async def add(self, url: str, *types: str, position: int = 0, **fields: Any) -> str:
        """Register a webhook and return its id."""
        name = webhook_id(url, types, "")
        webhook = Webhook(id=name, url=url, created_ms=1, types=types, **fields)
        await self.registry.add(webhook, position)
        return name

    def append(self, job: str, kind: str = "job.completed", **data: Any) -> str:
        """Store an event and return its id."""
        self._count += 1
        name = f"event-{self._count}"
        document = {
            "specversion": "1.0",
            "id": name,
            "source": "/lota/r/r1",
            "type": f"lota.{kind}.v1",
            "subject": job,
            "time": "2026-11-29T00:00:00.000Z",
            "data": data,
        }
        # Unlike what any encoder of ours would write, so that it is seen whether it is passed on.
        body = json.dumps(document, indent=1).encode()
        self.log.append(subject(job, "r", "r1", kind), body, id=name)
        return name

    async def stored(self, name: str) -> bytes:
        """Return the bytes of an event as they are stored."""
        async for batch in self.log.read(filters(None, ())):
            for record in batch:
                if f'"id": "{name}"'.encode() in record.body:
                    return record.body
        raise AssertionError(name)

    async def until(self, webhook: str, condition: Callable[[Listed], bool]) -> Listed:
        """Wait until something holds of a webhook, as it is listed."""
        listed = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                async for _ in self.values.follow():
                    listed = await self.registry.find(webhook)
                    if condition(listed):
                        return listed
        except TimeoutError:
            pass
        raise AssertionError(f"it does not come to that: {listed}")


class _Unclosed(MemoryKeyValues):
    """The same bucket over a connection of its own: closing one leaves the others."""

    def __init__(self, values: MemoryKeyValues) -> None:
        self.__dict__ = values.__dict__

    async def close(self) -> None:
        """The test closes it."""


def is_signed(it: Delivered, secret: str = SECRET) -> bool:
    """Say whether a delivery is signed as the specification says."""
    signed = f"{it.headers['webhook-id']}.{it.headers['webhook-timestamp']}.".encode() + it.body
    digest = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return it.headers.get("webhook-signature") == "v1," + base64.b64encode(digest).decode()
