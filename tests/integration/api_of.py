"""The API of a small network, and a client of it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from events.connection import connect
from events.jetstream import History, open_log
from node.observer.observer import Observer
from node.web.access import Access, Token
from node.web.api.gateway import Gateway
from node.web.api.shared import Api
from projections.state import Job
from tests.integration.small_network import SmallNetwork
from tests.node.observer.watched import reached
from tests.node.web.api.served import OFTEN, serving

TOKEN = "admin-token-of-a-test"


class ApiOf:
    """The API of a small network."""

    def __init__(
        self, network: SmallNetwork, observer: Observer, client: httpx.AsyncClient
    ) -> None:
        self.network = network
        self.observer = observer
        self.client = client

    async def submit(self, spec: dict[str, Any], **asked: Any) -> httpx.Response:
        """Submit a job."""
        return await self.client.post("/jobs", json=spec, **asked)

    async def closed(self, spec: dict[str, Any]) -> Job:
        """Submit a job, and wait until it is closed and the observer knows."""
        answer = await self.submit(spec)
        assert answer.status_code == 201, answer.text
        job = await self.network.watch.closed(answer.json()["id"])
        await self.seen()
        return job

    async def seen(self) -> None:
        """Wait until the observer has come to where the test has."""
        await reached(self.observer, self.network.watch.network.position)

    async def get(self, path: str, kind: Any) -> Any:
        """Return a document."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        msgspec.json.decode(answer.content, type=kind)
        return answer.json()

    async def pages(self, path: str, kind: Any, rows: str) -> list[Any]:
        """Return the rows of all pages of a list; the path has a query already."""
        found: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await self.get(f"{path}&cursor={quote(cursor)}", kind)
            found += page[rows]
            cursor = page["next"]
        return found


@asynccontextmanager
async def api_of(folder: Path, **config: Any) -> AsyncIterator[ApiOf]:
    """Run a network of one compute node, `config` is its, and serve the API of it.

    Jobs may name files below `folder/allowed`.
    """
    for name in ("allowed", "observer"):
        (folder / name).mkdir()
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(SmallNetwork(folder))
        await network.start("c1", **config)
        client = await connect(network.url, name="api")
        stack.push_async_callback(client.close)
        log = await open_log(client)
        stack.push_async_callback(log.close)
        history = History(client)
        stack.push_async_callback(history.close)
        observing = Observer.open(log, folder / "observer", history.position_since)
        observer = await stack.enter_async_context(observing)
        await observer.ready.wait()
        allowed = (str(folder / "allowed"),)
        gateway = await Gateway.open(client, log, lambda _: {}, allow_paths=allowed)
        access = Access([Token("admin", TOKEN)], rate=OFTEN, guesses=OFTEN)
        url = await stack.enter_async_context(serving(Api(observer, gateway), access))
        headers = {"authorization": f"Bearer {TOKEN}"}
        asking = httpx.AsyncClient(base_url=f"{url}/api/v1", headers=headers)
        yield ApiOf(network, observer, await stack.enter_async_context(asking))
