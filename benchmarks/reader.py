"""Reading the log, beside a bare nats-py pull loop that throws everything away.

The ratio is the figure to keep: it says what positions, gap detection and back pressure cost. Both
run in turn on the same stream, with pull requests of the same size.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.figures import Figure, Limit, Peer
from events.connection import connect
from events.jetstream import JetStreamLog, open_log
from events.jetstream.consumer import PULL_MESSAGES, PULLS_OUT
from node.server import EmbeddedServer

EVENTS = 100_000
BODY = b'{"id":"01J00000000000000000000000","source":"n1","subject":"j1",' + b"x" * 306
IN_FLIGHT = 1_000
ROUNDS = 7


async def fill(log: JetStreamLog) -> None:
    """Append the events, spread over a thousand jobs."""
    for first in range(0, EVENTS, IN_FLIGHT):
        await asyncio.gather(
            *[
                log.append(f"lota.ev.{n % 256:02x}.j{n % 1000}.c.n1.a.b", BODY, id=f"{n:026}")
                for n in range(first, first + IN_FLIGHT)
            ]
        )


async def bare_s(client: Client, events: int = EVENTS) -> float:
    """Return the seconds that a loop takes which pulls all events of a log and counts them."""
    name, inbox = f"bare{time.time_ns()}", client.new_inbox()
    config = {"name": name, "ack_policy": "none", "mem_storage": True, "num_replicas": 1}
    create = {"stream_name": "LOTA", "action": "create", "config": config}
    await client.request(
        f"$JS.API.CONSUMER.CREATE.LOTA.{name}", msgspec.json.encode(create), timeout=5
    )
    pull = msgspec.json.encode({"batch": PULL_MESSAGES, "expires": 30_000_000_000})
    subject = f"$JS.API.CONSUMER.MSG.NEXT.LOTA.{name}"
    done = asyncio.Event()
    came = 0

    async def count(_: Msg) -> None:
        nonlocal came
        came += 1
        if came == events:
            done.set()
        elif came % PULL_MESSAGES == 0:
            await client.publish(subject, pull, inbox)

    started = time.perf_counter()
    subscription = await client.subscribe(
        inbox, cb=count, pending_msgs_limit=0, pending_bytes_limit=0
    )
    for _ in range(PULLS_OUT):
        await client.publish(subject, pull, inbox)
    await done.wait()
    taken_s = time.perf_counter() - started
    await subscription.unsubscribe()
    await client.request(f"$JS.API.CONSUMER.DELETE.LOTA.{name}", timeout=5)
    return taken_s


async def read_s(log: JetStreamLog) -> float:
    """Return the seconds that `read` takes for the same."""
    started = time.perf_counter()
    came = 0
    async for batch in log.read():
        came += len(batch)
    assert came == EVENTS
    return time.perf_counter() - started


async def measure() -> AsyncIterator[Figure]:
    """Yield the rate of reading beside the bare loop, which went in turn."""
    bare: list[float] = []
    read: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(Path(folder)) as server:
            client = await connect(server.url, name="bench")
            log = await open_log(client)
            await fill(log)
            for _ in range(ROUNDS):
                bare.append(await bare_s(client))
                read.append(await read_s(log))
            await log.close()
            await client.close()
    yield Figure(
        what=f"reading {EVENTS:,} events",
        value=EVENTS / statistics.median(read),
        unit="events/s",
        peer=Peer(
            name="bare pull loop",
            value=EVENTS / statistics.median(bare),
            ratio=statistics.median(b / r for b, r in zip(bare, read, strict=True)),
            limit=Limit(0.9),
        ),
    )
