"""Publishing CARs to an IPFS node and to a service like web3.storage, beside a bare HTTP client.

The bare client sends CAR files that were packed before, with as many requests under way, and
believes any answer. Ours hashes the result first, and packs it while it is sent. Each round has a
result of its own, since servers know blocks that they have.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from benchmarks.figures import Figure, Peer, Unavailable
from publishers.car import CarPlan
from publishers.ipfs import IpfsPublisher
from publishers.port import Publisher, Workplace
from publishers.rate_limit import RateLimit
from publishers.unixfs import tree_cid
from publishers.web3storage import PIECES_AT_ONCE, Web3StoragePublisher
from tests.servers.js_ipfs import js_ipfs
from tests.servers.web3_storage import TOKEN, Web3Storage

MB = 1_000_000
FILES = 3
FILE_BYTES = 20 * MB
PIECE_BYTES = 16 << 20
ROUNDS = 5

Send = Callable[[list[Path]], Awaitable[None]]


def make_result(folder: Path) -> Path:
    """Make a folder of files that no server has seen."""
    folder.mkdir()
    for number in range(FILES):
        (folder / str(number)).write_bytes(os.urandom(FILE_BYTES))
    return folder


def packed(result: Path, folder: Path, piece_bytes: int) -> list[Path]:
    """Write the pieces of a result's CAR into files."""
    plan = CarPlan(result, None)
    pieces: list[Path] = []
    for piece in plan.pieces(piece_bytes):
        pieces.append(folder / f"{result.name}.{len(pieces)}.car")
        with pieces[-1].open("wb") as file:
            file.writelines(piece.chunks())
    plan.close()
    return pieces


async def compare(
    label: str, scratch: Path, publisher: Publisher, send: Send, piece_bytes: int
) -> Figure:
    """Return the rate of publications beside the bare client's, in rounds in turn."""
    times: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        bare = packed(make_result(scratch / f"{label}-bare-{number}"), scratch, piece_bytes)
        ours = make_result(scratch / f"{label}-{number}")
        cid = tree_cid(ours).cid
        began = time.perf_counter()
        await send(bare)
        between = time.perf_counter()
        await publisher.publish(ours, f"bench/{number}", cid=cid)
        times.append((time.perf_counter() - between, between - began))
    del times[0]  # opens connections
    mine, theirs = zip(*times, strict=True)
    return Figure(
        what=f"publishing to {label}, {FILES}x{FILE_BYTES // MB} MB",
        value=FILES * FILE_BYTES / MB / statistics.median(mine),
        unit="MB/s",
        peer=Peer(
            name="bare client",
            value=FILES * FILE_BYTES / MB / statistics.median(theirs),
            ratio=statistics.median(bare / own for own, bare in times),
        ),
    )


async def to_ipfs(scratch: Path) -> Figure:
    """Measure the driver `ipfs` on a node of js-ipfs, whose own work takes most of the time."""
    server = js_ipfs()
    port = await asyncio.to_thread(server.start, scratch / "node")
    url = f"http://127.0.0.1:{port}"
    publisher = IpfsPublisher("", {"url": url}, Workplace(scratch))
    async with httpx.AsyncClient(base_url=url, timeout=60, verify=False) as client:

        async def send(cars: list[Path]) -> None:
            for car in cars:
                with car.open("rb") as file:
                    answer = await client.post("/api/v0/dag/import", files={"file": file})
                answer.raise_for_status()

        figure = await compare("ipfs", scratch, publisher, send, 1 << 40)
    await publisher.close()
    await asyncio.to_thread(server.stop, port)
    return figure


async def to_web3storage(scratch: Path) -> Figure:
    """Measure the driver `web3storage` on the server of the tests, in this same process."""
    with Web3Storage(scale=0.001) as server:
        publisher = Web3StoragePublisher(
            "",
            {"url": server.url, "token": TOKEN},
            Workplace(scratch),
            limit=RateLimit(1000, 1.0),
            piece_bytes=PIECE_BYTES,
        )
        turn = asyncio.Semaphore(PIECES_AT_ONCE)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(base_url=server.url, timeout=60, verify=False) as client:

            async def post(car: Path) -> None:
                async with turn:
                    answer = await client.post("/car", content=car.read_bytes(), headers=headers)
                    answer.raise_for_status()

            async def send(cars: list[Path]) -> None:
                await asyncio.gather(*(post(car) for car in cars))
                server.blocks.clear()

            figure = await compare("web3storage", scratch, publisher, send, PIECE_BYTES)
        await publisher.close()
    return figure


async def measure() -> AsyncIterator[Figure]:
    """Start each server and yield the rates."""
    for driver in (to_ipfs, to_web3storage):
        with tempfile.TemporaryDirectory() as scratch:
            try:
                figure = await driver(Path(scratch))
            except pytest.skip.Exception as missing:
                raise Unavailable(str(missing)) from None
            yield figure
