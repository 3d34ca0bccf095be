"""Puts a node together: the one place where its parts meet, in the order they start and stop."""

import asyncio
import logging
import random
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Self

from nats.aio.client import Client

from events.blobs import Blobs
from events.connection import connect, without_login
from events.errors import AnotherLog, ExecutorError, LogUnavailable, LotaError, NodeBusy
from events.inputs.file_uri import to_uri
from events.items import Capabilities
from events.jetstream import History, JetStreamKeyValues, JetStreamLog, open_blobs, open_log
from events.spec import ENGINES_READY
from events.subjects import NET
from node.bus import Bus
from node.compute.memory import NodeMemory
from node.compute.results import HeldResults
from node.compute.retention import expire_results
from node.compute.runs import Runs
from node.compute.service import Compute
from node.compute.uploads import Uploads
from node.compute.work import Work
from node.config import NodeConfig, disk_bytes
from node.credentials import Credentials
from node.executors.docker import DockerExecutor
from node.executors.noop import NoopExecutor
from node.executors.port import Executor
from node.executors.process import ProcessExecutor
from node.inputs.file import FileSource
from node.inputs.lota import LotaSource
from node.inputs.port import Source
from node.inputs.relist import Relisting
from node.membership import Membership
from node.orders import Orders
from node.policy import Policy
from node.requester import Requester
from node.rpc import serve_rpc
from node.state import StateFolder
from node.threads import give_threads
from node.webhooks.registration import BUCKET
from node.webhooks.sending import Sender
from node.webhooks.service import Webhooks
from projections.runner import Runner
from projections.store import Store
from publishers import names
from publishers.port import Workplace

if TYPE_CHECKING:
    from node.web.serving import ServedResults

VERSION = version("lota")
PUBLISH_SHARE = 0.9
"""The part of its time after which a publication is given up, before another node takes over."""
RETRY_S = 1.0
CANCEL_AGAIN_S = 1.0
"""`asyncio.wait_for` of Python 3.11 loses a cancellation that comes together with its answer."""

log = logging.getLogger(__name__)


class Host:
    """One node of this process: its parts, from the lock on its folder to its last word.

    `async with` gives a node that has joined; leaving it stops the node in good order. `engines`
    are used in place of the drivers of the engines that the configuration names, and publications
    are made with `credentials`, of which nobody learns more than the names.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        policy: Policy | None = None,
        engines: Mapping[str, Executor] | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.config = config
        self.failed: asyncio.Future[None]
        self._policy = policy or Policy()
        self._drivers = engines or {}
        self._credentials = credentials or Credentials()
        self._stack = AsyncExitStack()
        self._reconnected = asyncio.Event()

    async def __aenter__(self) -> Self:
        give_threads()
        self.failed = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            try:
                await self._start(stack)
            except AnotherLog as error:
                raise self._not_ours(error) from None
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _not_ours(self, error: AnotherLog) -> AnotherLog:
        server = without_login(self.config.address.url)
        what = f"node {self.config.name} is not one of {server}: {error.what}"
        return AnotherLog(what, hint=error.hint)

    async def _start(self, stack: AsyncExitStack) -> None:
        config = self.config
        folder = StateFolder(config.state)
        stack.enter_context(folder)
        address = config.address
        client = await connect(
            address.url,
            name=config.name,
            user=address.user,
            password=address.password,
            token=address.token,
            credentials=address.credentials,
            on_reconnect=self._reconnected.set,
        )
        stack.push_async_callback(client.close)
        bus = Bus(client)
        await self._require_alone(bus)
        events_log = await open_log(client)
        stack.push_async_callback(events_log.close)
        if "compute" in config.roles:
            events_log.require_writable()
        blobs = await open_blobs(client)
        compute = None
        engines = await self._engines(folder) if "compute" in config.roles else {}
        served = await self._serve_results(stack, client)
        credentials = await asyncio.to_thread(self._credentials.names)
        can = self._capabilities(tuple(engines), credentials, served.url if served else "")
        if "compute" in config.roles:
            compute = await self._make_compute(
                stack, client, folder, events_log, blobs, engines, can
            )
            if served is not None:
                served.metrics.in_hand = compute.in_hand
        membership = Membership(
            config.name,
            can,
            log=events_log,
            bus=bus,
            holds=compute.holds if compute is not None else list,
        )

        def take(orders: Orders) -> None:
            if orders.job == NET:
                if membership.take(orders) and compute is not None:
                    compute.draining = True
            elif compute is not None:
                compute.take(orders)

        stack.push_async_callback(await bus.take_commands(config.name, take))
        if compute is not None:
            await compute.recall()
            self._keep(stack, compute.run())
        requester = None
        if "requester" in config.roles:
            requester = await self._make_requester(stack, folder, events_log, bus, blobs)
            self._keep(stack, requester.run())
            await self._first(requester.ready.wait())
        if events_log.twin is not None:
            log.warning("the log is a twin: %s looks on and decides nothing", config.name)
            return
        joined = await membership.join()
        stack.push_async_callback(self._leave, membership)
        if compute is not None:
            await compute.joined(joined)
        self._keep(stack, membership.beat())
        if requester is not None:
            self._keep(stack, self._webhooks(client, events_log, requester).run())

    def _webhooks(self, client: Client, events_log: JetStreamLog, requester: Requester) -> Webhooks:
        history = History(client)

        async def first_position() -> int:
            return (await history.bounds())[0]

        return Webhooks(
            self.config.name,
            events_log=events_log,
            first_position=first_position,
            values=JetStreamKeyValues(client, BUCKET),
            nodes=lambda: requester.nodes,
            credentials=self._credentials,
            hosts=self.config.allow_webhooks,
            sender=Sender(VERSION),
            chance=random.random,
        )

    async def _require_alone(self, bus: Bus) -> None:
        """Raise NodeBusy when another node of the network has this one's name."""
        if await bus.is_present(self.config.name):
            raise NodeBusy(
                f"a node named {self.config.name} is on this network already",
                hint="stop it, or give this one another --name",
            )

    async def _leave(self, membership: Membership) -> None:
        """Say on the log that the node leaves, unless that is a log which it has no part in."""
        failed = self.failed.done() and not self.failed.cancelled()
        if not (failed and isinstance(self.failed.exception(), AnotherLog)):
            await membership.leave()

    async def _consult(
        self, compute: Compute, memory: NodeMemory, events_log: JetStreamLog
    ) -> None:
        """After each reconnect have the node read its open jobs again: orders may have been missed.

        First it has to be its log still: jobs that another one does not know are not over. Raises
        AnotherLog.
        """
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            try:
                await memory.require(events_log)
            except LogUnavailable:
                await asyncio.sleep(RETRY_S)
                self._reconnected.set()
            else:
                compute.consult_all()

    async def _make_compute(
        self,
        stack: AsyncExitStack,
        client: Client,
        folder: StateFolder,
        events_log: JetStreamLog,
        blobs: Blobs,
        engines: dict[str, Executor],
        can: Capabilities,
    ) -> Compute:
        config = self.config
        memory = await NodeMemory.open(folder.memory)
        stack.push_async_callback(memory.close)
        await memory.require(events_log)
        results = LotaSource(events_log, client, self._credentials.read, log.warning)
        stack.push_async_callback(results.close)
        sources: dict[str, Source] = {
            "file": FileSource(allow=config.allow_paths),
            results.scheme: results,
        }
        runs = Runs(engines, sources, blobs, results=folder.results, inputs=folder.inputs)
        self._keep(stack, expire_results(memory, folder.results))
        work = Work(runs, cpu=config.width)
        workplace = Workplace(folder.path / "publishing", client)
        uploads = Uploads(
            config.publish_root,
            config.allow_paths,
            workplace,
            self._credentials,
            limit_s=self._policy.publish_ms * PUBLISH_SHARE / 1000,
        )
        stack.push_async_callback(uploads.close)
        held = HeldResults(work, memory)
        stack.push_async_callback(held.close)
        stop_serving = await serve_rpc(client, config.name, held)
        stack.push_async_callback(stop_serving)
        compute = Compute(
            config.name,
            can,
            log=events_log,
            memory=memory,
            work=work,
            uploads=uploads,
            blobs=blobs,
            relisting=Relisting(sources, blobs),
            policy=self._policy,
            throw_away=config.throw_away,
        )
        self._keep(stack, self._consult(compute, memory, events_log))
        return compute

    async def _make_requester(
        self,
        stack: AsyncExitStack,
        folder: StateFolder,
        events_log: JetStreamLog,
        bus: Bus,
        blobs: Blobs,
    ) -> Requester:
        store = await Store.open(folder.projections)
        stack.push_async_callback(store.close)
        runner = Runner(events_log, store)
        stack.push_async_callback(runner.rest)
        return Requester(
            self.config.name,
            log=events_log,
            bus=bus,
            blobs=blobs,
            runner=runner,
            policy=self._policy,
            looks_only=events_log.twin is not None,
        )

    async def _engines(self, folder: StateFolder) -> dict[str, Executor]:
        """Make the engines that the operator allows; what cannot run here is left out, aloud."""
        made: dict[str, Executor] = {}
        for name in self.config.engines:
            engine = self._drivers.get(name) or self._engine(name, folder)
            try:
                await engine.check()
            except ExecutorError as error:
                if self.config.throw_away:
                    raise
                log.warning("%s does not offer engine %s: %s", self.config.name, name, error)
                await engine.close()
            else:
                made[name] = engine
        return made

    def _engine(self, name: str, folder: StateFolder) -> Executor:
        match name:
            case "noop":
                return NoopExecutor()
            case "process":
                return ProcessExecutor(folder.path / "processes")
            case "docker":
                # Networks of one machine share its engine, and their nodes may share names.
                owner = f"{self.config.name}-{folder.owner}"
                return DockerExecutor(owner, width=self.config.width)
            case _:
                raise LotaError(
                    f"there is no engine {name!r}", hint=f"allow one of {', '.join(ENGINES_READY)}"
                )

    async def _serve_results(self, stack: AsyncExitStack, client: Client) -> "ServedResults | None":
        """Serve what the publisher `local` has written, if asked to, and the node's metrics."""
        serve = self.config.serve_results
        if serve is None or "compute" not in self.config.roles:
            return None
        # A node that serves nothing need not load a web server.
        from node.web.serving import ServedResults  # noqa: PLC0415

        served = ServedResults(serve, self.config.publish_root, client)
        await stack.enter_async_context(served)
        self._keep(stack, served.ended())
        return served

    def _capabilities(
        self, engines: tuple[str, ...], credentials: tuple[str, ...], serves: str
    ) -> Capabilities:
        config = self.config
        if "compute" not in config.roles:
            return Capabilities(roles=config.roles, version=VERSION)
        return Capabilities(
            roles=config.roles,
            engines=engines,
            publishers=names(),
            credentials=credentials,
            cpu=config.cpu,
            memory_bytes=config.memory_bytes,
            disk_bytes=disk_bytes(config.state),
            width=config.width,
            labels=config.labels,
            data=tuple(to_uri(path) for path in config.allow_paths),
            version=VERSION,
            serves=serves,
        )

    def _keep(self, stack: AsyncExitStack, work: Coroutine[Any, Any, None]) -> None:
        """Run a part until the node stops; if it ends by itself, the node has failed."""
        task = asyncio.ensure_future(work)

        def ended(done: "asyncio.Task[None]") -> None:
            if done.cancelled() or self.failed.done():
                return
            error = done.exception() or LotaError("a part of the node ended")
            self.failed.set_exception(
                self._not_ours(error) if isinstance(error, AnotherLog) else error
            )
            self.failed.exception()

        task.add_done_callback(ended)

        async def stop() -> None:
            while not task.done():
                task.cancel()
                await asyncio.wait((task,), timeout=CANCEL_AGAIN_S)

        stack.push_async_callback(stop)

    async def _first(self, ready: Coroutine[Any, Any, Any]) -> None:
        """Wait until a part is ready, or raise what made it fail."""
        waiting = asyncio.ensure_future(ready)
        await asyncio.wait((waiting, self.failed), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self.failed.result()
