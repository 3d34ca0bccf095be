"""The command line in this process, against a real server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.spec import JobSpec
from node.cli.main import main
from node.rpc import ResultSource, serve_rpc
from tests.node.cli.job_on_log import JobOnLog


class Ran(NamedTuple):
    """What a command line came to."""

    code: int
    out: str
    err: str


Lota = Callable[..., Awaitable[Ran]]
Begin = Callable[[JobSpec], Awaitable[JobOnLog]]
Serve = Callable[[str, ResultSource], Awaitable[None]]


@pytest.fixture
def lota(nats_url: str, capsysbinary: pytest.CaptureFixture[bytes]) -> Lota:
    """Run a command line against the server, in a thread as it brings a loop of its own."""

    async def run(*words: str, server: str = nats_url) -> Ran:
        code = await asyncio.to_thread(main, [*words, "--server", server])
        out, err = capsysbinary.readouterr()
        return Ran(code, out.decode(), err.decode())

    return run


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    """Return a connection to the server."""
    client = await connect(nats_url, name="test")
    yield client
    await client.close()


@pytest.fixture
async def log(client: Client) -> AsyncIterator[JetStreamLog]:
    """Return the log that the commands read."""
    log = await open_log(client)
    yield log
    await log.close()


@pytest.fixture
def begin(client: Client, log: JetStreamLog) -> Begin:
    """Submit a job whose story the test goes on to tell."""

    async def submitted(spec: JobSpec) -> JobOnLog:
        job = JobOnLog(log)
        await job.submit(await open_blobs(client), spec)
        return job

    return submitted


@pytest.fixture
async def serve(client: Client) -> AsyncIterator[Serve]:
    """Answer for nodes until the test ends."""
    async with AsyncExitStack() as stack:

        async def begin(node: str, source: ResultSource) -> None:
            stack.push_async_callback(await serve_rpc(client, node, source))

        yield begin
