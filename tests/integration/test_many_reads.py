"""Many who read the log over HTTP at once, through one connection to the server."""

import asyncio
from pathlib import Path

import httpx

from events.connection import connect
from events.jetstream import History, open_log
from node.observer.observer import Observer
from node.server import EmbeddedServer
from node.web.api.shared import Api
from tests.node.web.api.served import serving

READERS = 60
MESSAGES = 200
SIZE_BYTES = 200_000


async def test_the_connection_outlives_its_readers(server: EmbeddedServer, tmp_path: Path) -> None:
    """However many ask for large pages of the log at once, each gets one, and the server does not
    take the observer for a consumer that is too slow.
    """
    lost: list[str] = []
    client = await connect(server.url, name="api", on_disconnect=lambda: lost.append("lost"))
    log = await open_log(client)
    history = History(client)
    body = b'"%s"' % (b" " * SIZE_BYTES)
    for number in range(MESSAGES):
        await log.append("lota.ev.00.job.g.x.y.z", body, id=f"{number}")
    (tmp_path / "observer").mkdir()
    opened = Observer.open(log, tmp_path / "observer", history.position_since)
    async with opened as observer, serving(Api(observer)) as url:
        await observer.ready.wait()
        limits = httpx.Limits(max_connections=READERS)
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as reading:
            path = "/api/v1/log?after=1&limit=1000"
            pages = await asyncio.gather(*[reading.get(path) for _ in range(READERS)])
    await history.close()
    await log.close()
    await client.close()
    assert [page.status_code for page in pages] == [200] * READERS
    assert len({page.content for page in pages}) == 1
    assert lost == []
