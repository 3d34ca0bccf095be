"""A whole network with jobs of all kinds, its observer, its API and its pages, in this process."""

from contextlib import AsyncExitStack
from pathlib import Path
from shlex import quote
from typing import Self

from events.connection import connect
from events.jetstream import History
from events.spec import Deal, JobSpec, PublisherSpec, Resources, Sharding
from node.config import ServeConfig
from node.local import LocalConfig, LocalNetwork
from node.observer.observer import Observer
from node.web.dashboard import Door, dashboard
from node.web.listening import listen
from tests.integration.watch import Watch
from tests.node.web.pages.documents import MARKUP

LOCAL = (PublisherSpec(driver="local"),)
COUNT = (
    'echo "part $LOTA_SHARD of the census"; seq 5 > outputs/numbers; sleep 0.$((LOTA_SHARD % 4))'
)


class ShownNetwork:
    """`async with` gives a network that serves its pages at `url`.

    `census` was run by two nodes each shard, agreed on and published; `failed` ended with exit
    code 3; `markup` has markup for a name and prints it; `waiting` asks for more than there is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            config = LocalConfig(
                folder=self.folder / "network",
                publish_root=self.folder / "published",
                engines=("noop", "process"),
            )
            network = await stack.enter_async_context(LocalNetwork(config))
            self.watch = await stack.enter_async_context(Watch(network.url))
            client = await connect(network.url, name="observer")
            stack.push_async_callback(client.close)
            history = History(client)
            stack.push_async_callback(history.close)
            (self.folder / "observer").mkdir()
            self.observer = await stack.enter_async_context(
                Observer.open(self.watch.log, self.folder / "observer", history.position_since)
            )
            listener = listen(ServeConfig(listen="127.0.0.1:0"))
            self.url = listener.url
            door = Door(listener.bound, listener.url)
            await stack.enter_async_context(dashboard(self.observer, client, door))
            await self._submit()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def noop(self, name: str) -> str:
        """Submit a job that comes to nothing, and return its id."""
        return await self.watch.submit(JobSpec(engine="noop", name=name))

    async def too_large(self) -> str:
        """Submit a job that no node can run, and return its id."""
        spec = _shell("true", name="too large", resources=Resources(cpu=1000))
        return await self.watch.submit(spec)

    async def _submit(self) -> None:
        self.census = await self.watch.submit(
            _shell(
                COUNT,
                name="census",
                labels={"team": "blue"},
                sharding=Sharding(count=12),
                deal=Deal(replicas=2),
                verifier="deterministic",
                publishers=LOCAL,
            )
        )
        self.failed = await self.watch.submit(_shell("exit 3", name="broken"))
        self.markup = await self.watch.submit(_shell(f"echo {quote(MARKUP)}", name=MARKUP))
        self.waiting = await self.too_large()
        for job in (self.census, self.failed, self.markup):
            await self.watch.closed(job)


def _shell(text: str, **fields: object) -> JobSpec:
    return JobSpec(engine="process", command=("sh", "-c", text), timeout="30s", **fields)  # type: ignore[arg-type]
