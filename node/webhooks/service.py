"""Delivers the webhooks of a network: each by one requester, as the ring divides them.

Which requester that is is advice, as for the partitions of the log; the fence is the standing of
the webhook, which changes by compare-and-set. A requester that cannot deliver (its operator does
not allow the host, or has given it no such credential) says so there and waits.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from events.clock import now_ms
from events.errors import LogError, LotaError, PublishError, WrongExpectedPosition
from events.key_values import KeyValues, Value
from events.log import Log, Record
from events.subjects import NET
from events.times import rfc3339
from node.credentials import Credentials
from node.webhooks.book import Pace
from node.webhooks.delivery import Delivery, GivenUp
from node.webhooks.envelope import id_of
from node.webhooks.hosts import is_allowed
from node.webhooks.registration import Ping, Pong, Progress, Webhook, read_webhook
from node.webhooks.registry import Registry
from node.webhooks.sending import Outcome, Sender
from node.webhooks.signing import delivery_headers, secret_bytes
from projections.nodes import Nodes, owner

LOOK_S = 0.5
"""How soon a change of the requesters is noticed."""
AGAIN_S = 2.0
CREDENTIAL_S = 10.0
"""How long a secret that was read is used, and how soon a missing one is looked for again."""
PING_MS_MAX = 300_000
PING_TYPE = "lota.webhook.ping.v1"

log = logging.getLogger(__name__)


class Unable(LotaError):
    """This node cannot deliver a webhook, for a reason that its operator can mend."""


class _Registered(NamedTuple):
    webhook: Webhook
    revision: int


class Webhooks:
    """The webhooks of a network, as one requester sees to them.

    `nodes` tells who the requesters are now, `hosts` where the operator lets this one send to, and
    `first_position` where the log begins.
    """

    def __init__(
        self,
        node: str,
        *,
        events_log: Log,
        first_position: Callable[[], Awaitable[int]],
        values: KeyValues,
        nodes: Callable[[], Nodes],
        credentials: Credentials,
        hosts: tuple[str, ...],
        sender: Sender,
        chance: Callable[[], float],
        pace: Pace | None = None,
    ) -> None:
        self.node = node
        self._log = events_log
        self._first_position = first_position
        self._values = values
        self._registry = Registry(values)
        self._nodes = nodes
        self._credentials = credentials
        self._hosts = hosts
        self._sender = sender
        self._chance = chance
        self._pace = pace or Pace()
        self._registered: dict[str, _Registered] = {}
        self._running: dict[str, tuple[int, asyncio.Task[None]]] = {}
        self._pings: dict[str, Ping] = {}
        self._tests: set[asyncio.Task[None]] = set()
        self._secrets: dict[str, tuple[float, bytes]] = {}
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """See to the webhooks until cancelled; no trouble with them ends it."""
        watching = asyncio.ensure_future(self._watch())
        try:
            while True:
                self._changed.clear()
                await self._reconcile()
                try:
                    async with asyncio.timeout(LOOK_S):
                        await self._changed.wait()
                except TimeoutError:
                    continue
        finally:
            tasks = [watching, *self._tests, *(task for _, task in self._running.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._values.close()
            await self._sender.close()

    async def _watch(self) -> None:
        """Follow the bucket, and make it if it is not there."""
        said = ""
        while True:
            try:
                await self._values.ensure()
                self._registered.clear()  # all come again
                async with aclosing(self._values.follow()) as batches:  # type: ignore[type-var]
                    async for batch in batches:
                        for value in batch:
                            self._note(value)
                        self._changed.set()
            except LogError as error:
                if error.what != said:
                    log.warning("webhooks are not delivered by %s now: %s", self.node, error)
                    said = error.what
            await asyncio.sleep(AGAIN_S)

    def _note(self, value: Value) -> None:
        kind, _, name = value.key.partition(".")
        if kind == "webhook":
            self._registered.pop(name, None)
            if value.data is not None:
                try:
                    webhook = read_webhook(name, value.data)
                except LotaError as error:
                    log.warning("%s", error)
                else:
                    self._registered[name] = _Registered(webhook, value.revision)
        elif kind == "ping" and value.data is not None:
            try:
                ping = msgspec.json.decode(value.data, type=Ping)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                return
            if now_ms() - ping.time_ms < PING_MS_MAX:
                self._pings[name] = ping

    async def _reconcile(self) -> None:
        """Deliver what is ours to deliver, and nothing else."""
        ours = {name: it for name, it in self._registered.items() if self._is_ours(name)}
        stopping = []
        for name, (revision, task) in list(self._running.items()):
            wanted = ours.get(name)
            if wanted is None or wanted.revision != revision or wanted.webhook.state != "active":
                del self._running[name]
                task.cancel()
                stopping.append(task)
        await asyncio.gather(*stopping, return_exceptions=True)
        for name, it in ours.items():
            if it.webhook.state == "active" and name not in self._running:
                task = asyncio.ensure_future(self._keep_delivering(it.webhook))
                self._running[name] = (it.revision, task)
        for name, ping in list(self._pings.items()):
            del self._pings[name]
            if name in ours:
                task = asyncio.ensure_future(self._test(ours[name].webhook, ping))
                self._tests.add(task)
                task.add_done_callback(self._tests.discard)

    def _is_ours(self, id: str) -> bool:
        return owner(self._nodes(), f"webhook {id}") == self.node

    async def _keep_delivering(self, webhook: Webhook) -> None:
        """Deliver, and begin again where it stands whenever that has ended."""
        said = ""
        while True:
            pause_s = AGAIN_S * self._chance()
            try:
                await self._deliver(webhook)
            except GivenUp as reason:
                log.warning("webhook %s is disabled: %s", webhook.id, reason)
                await self._disable(webhook.id, str(reason))
            except WrongExpectedPosition:
                log.info("webhook %s has moved: it goes on from where it stands", webhook.id)
            except LotaError as error:
                if error.what != said:
                    log.warning("webhook %s waits: %s", webhook.id, error)
                    said = error.what
                await self._tell(webhook.id, _in_one_line(error))
                pause_s = CREDENTIAL_S if isinstance(error, Unable) else AGAIN_S
            except Exception:
                log.exception("webhook %s met what was not expected", webhook.id)
            await asyncio.sleep(pause_s)

    async def _deliver(self, webhook: Webhook) -> None:
        await self._key(webhook)
        progress, revision = await self._registry.progress(webhook.id)
        await self._refuse_gap(webhook, progress)
        # To say that it is ours ends what another has under way, when that saves.
        claimed = msgspec.structs.replace(progress, node=self.node, problem="")
        revision = await self._registry.save(webhook.id, claimed, revision)

        async def post(record: Record) -> Outcome:
            return await self._send(webhook, id_of(record), record.body)

        await Delivery(
            webhook,
            claimed,
            revision,
            events_log=self._log,
            registry=self._registry,
            post=post,
            pace=self._pace,
            chance=self._chance,
        ).run()

    async def _refuse_gap(self, webhook: Webhook, progress: Progress) -> None:
        """Raise GivenUp when the log has dropped what was still to be looked at, or lost its end.

        What comes to stand at positions that were looked at before would be left out in silence.
        """
        last = await self._log.last()
        if progress.position > last:
            raise GivenUp(
                f"the log ends at position {last}, and deliveries had come to {progress.position}: "
                f"it has lost its end; lota webhook resume {webhook.id} --since {last + 1} goes on"
            )
        stands = min([progress.position, *progress.late.values()])
        first = await self._first_position()
        if stands + 1 < first:
            raise GivenUp(
                f"positions {stands + 1} to {first - 1} were dropped from the log before they were "
                f"delivered; lota webhook resume {webhook.id} --since {first} goes on without them"
            )

    async def _send(self, webhook: Webhook, id: str, body: bytes) -> Outcome:
        key = await self._key(webhook)
        headers = delivery_headers(id, now_ms() // 1_000, body, key)
        return await self._sender.send(webhook.url, body, headers)

    async def _key(self, webhook: Webhook) -> bytes | None:
        """Return what to sign with, None for nothing; it is read anew every few seconds.

        Raises Unable when this node may not send there, or has no such secret.
        """
        if not is_allowed(webhook.url, self._hosts):
            raise Unable(
                f"{self.node} is not allowed to deliver to this host",
                hint="its operator allows it by --allow-webhook HOST",
            )
        if not (name := webhook.credential):
            return None
        now_s = asyncio.get_running_loop().time()
        until_s, key = self._secrets.get(name, (0.0, b""))
        if now_s >= until_s:
            key = await self._read_key(name)
            self._secrets[name] = (now_s + CREDENTIAL_S, key)
        return key

    async def _read_key(self, name: str) -> bytes:
        try:
            fields = await asyncio.to_thread(self._credentials.read, name)
            return secret_bytes(fields.get("secret", ""))
        except PublishError as error:
            raise Unable(f"{self.node}: {error.what}", hint=error.hint) from None
        except ValueError as error:
            raise Unable(
                f"{self.node}: the field secret of the credential {name!r} cannot be used: {error}",
                hint="make one with: openssl rand -base64 32",
            ) from None

    # What is told

    async def _disable(self, id: str, reason: str) -> None:
        try:
            await self._registry.switch(id, "disabled", reason=reason)
        except LotaError as error:
            log.warning("webhook %s could not be disabled: %s", id, error)

    async def _tell(self, id: str, problem: str) -> None:
        """Say in the standing why nothing is delivered."""
        try:
            progress, revision = await self._registry.progress(id)
            told = msgspec.structs.replace(progress, node=self.node, problem=problem)
            if told != progress:
                await self._registry.save(id, told, revision)
        except LotaError as error:
            log.info("webhook %s: %s", id, error)

    async def _test(self, webhook: Webhook, ping: Ping) -> None:
        """Send a document that is no event of the log, once, and say what came of it."""
        began_ms = now_ms()
        try:
            body = _ping_body(self.node, webhook.id, ping, began_ms)
            outcome = await self._send(webhook, ping.id, body)
        except Unable as error:
            outcome = Outcome(accepted=False, what=_in_one_line(error))
        took_ms = now_ms() - began_ms
        pong = Pong(ping.id, self.node, outcome.accepted, outcome.what, took_ms)
        try:
            await self._registry.pong(webhook.id, pong)
        except LogError as error:
            log.info("the test of webhook %s: %s", webhook.id, error)


def _in_one_line(error: LotaError) -> str:
    return f"{error.what} ({error.hint})" if error.hint else error.what


def _ping_body(node: str, webhook: str, ping: Ping, time_ms: int) -> bytes:
    """Return a document with the envelope of an event, of a type that is none on the log."""
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": ping.id,
            "source": f"/lota/r/{node}",
            "type": PING_TYPE,
            "subject": NET,
            "time": rfc3339(time_ms),
            "datacontenttype": "application/json",
            "data": {"webhook": webhook},
        }
    )
