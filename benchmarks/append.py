"""Appending to the log, beside a bare loop that publishes raw messages and counts the acks.

Both keep the same number of appends in flight over one connection and send the same headers. The
fenced rate is that of one writer under as many fences as are in flight.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from nats.aio.client import Client
from nats.aio.msg import Msg

from benchmarks.figures import Figure, Peer
from events.connection import connect
from events.jetstream import JetStreamLog, open_log
from events.log import Expect
from node.server import EmbeddedServer

APPENDS = 30_000
IN_FLIGHT = 256
BODY = b"x" * 371
ROUNDS = 5
IDS = itertools.count()


def subject(number: int) -> str:
    """Return the subject of one of as many jobs as are in flight."""
    return f"lota.ev.00.j{number % IN_FLIGHT}.r.n1.a.b"


async def bare_s(client: Client) -> float:
    """Return the seconds that raw publishing with acks takes."""
    inbox = client.new_inbox()
    done = asyncio.Event()
    sent = acked = 0

    async def send() -> None:
        nonlocal sent
        headers = {
            "Content-Type": "application/cloudevents+json",
            "Nats-Msg-Id": f"{next(IDS):026}",
        }
        await client.publish(subject(sent), BODY, inbox, headers)
        sent += 1

    async def on_ack(_: Msg) -> None:
        nonlocal acked
        acked += 1
        if sent < APPENDS:
            await send()
        elif acked == APPENDS:
            done.set()

    subscription = await client.subscribe(inbox, cb=on_ack)
    started = time.perf_counter()
    for _ in range(IN_FLIGHT):
        await send()
    await done.wait()
    taken_s = time.perf_counter() - started
    await subscription.unsubscribe()
    return taken_s


async def append_s(log: JetStreamLog, *, fenced: bool) -> float:
    """Return the seconds that `append` takes for the same."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    last = {n: await log.last(f"lota.ev.00.j{n}.r.>") if fenced else 0 for n in range(IN_FLIGHT)}
    left = APPENDS

    def send(lane: int) -> None:
        expect = Expect(f"lota.ev.00.j{lane}.r.>", last[lane]) if fenced else None
        answer = log.append(subject(lane), BODY, id=f"{next(IDS):026}", expect=expect)
        answer.add_done_callback(then(lane))

    def then(lane: int) -> Callable[[asyncio.Future[int]], None]:
        def acked(answer: asyncio.Future[int]) -> None:
            nonlocal left
            last[lane] = answer.result()
            left -= 1
            if left >= IN_FLIGHT:
                send(lane)
            elif left == 0:
                done.set_result(None)

        return acked

    started = time.perf_counter()
    for lane in range(IN_FLIGHT):
        send(lane)
    await done
    return time.perf_counter() - started


async def measure() -> AsyncIterator[Figure]:
    """Yield the rates of both kinds of append beside the bare loop, which went in turn."""
    bare: list[float] = []
    plain: list[float] = []
    fenced: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedServer(Path(folder)) as server:
            client = await connect(server.url, name="bench")
            log = await open_log(client)
            for _ in range(ROUNDS):
                bare.append(await bare_s(client))
                plain.append(await append_s(log, fenced=False))
                fenced.append(await append_s(log, fenced=True))
            await log.close()
            await client.close()
    for what, came in (("append", plain), ("append under a fence", fenced)):
        yield Figure(
            what=f"{what}, {IN_FLIGHT} in flight",
            value=APPENDS / statistics.median(came),
            unit="events/s",
            peer=Peer(
                name="bare publish with acks",
                value=APPENDS / statistics.median(bare),
                ratio=statistics.median(b / c for b, c in zip(bare, came, strict=True)),
            ),
        )
