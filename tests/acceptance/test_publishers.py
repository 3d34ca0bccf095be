"""Jobs that publish elsewhere than into a folder, as an operator and a user would set them up."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.lota_process import LOTA, Machine, Running
from tests.servers.js_ipfs import js_ipfs


@pytest.fixture
async def ipfs(tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an IPFS node that knows nothing yet."""
    server = await asyncio.to_thread(js_ipfs)
    (tmp_path / "ipfs").mkdir()
    port = await asyncio.to_thread(server.start, tmp_path / "ipfs" / "blocks")
    yield f"http://127.0.0.1:{port}"
    await asyncio.to_thread(server.stop, port)


@pytest.fixture
async def dev(machine: Machine, ipfs: str) -> AsyncIterator[Running]:
    """`lota dev` whose operator has given it the credential `home`, an IPFS node's address."""
    machine.environment["LOTA_CRED_HOME_URL"] = ipfs
    async with machine.start(LOTA, "dev", "--nodes", "2") as running:
        await running.line("compute nodes are ready")
        yield running


async def test_a_whole_result_is_one_cid(machine: Machine, dev: Running, ipfs: str) -> None:
    """Every shard and the job's root are at the service, which finds any file from the root."""
    command = ("sh", "-c", "echo result $LOTA_SHARD > outputs/a")
    ran = await machine.run(
        "run", "--shards", "3", "--replicas", "2", "--publisher", "ipfs@home", "--", *command
    )
    assert ran.code == 0, ran
    job = (await machine.run("job", "ls", "-q")).out.strip()
    described = json.loads((await machine.run("job", "describe", job, "-o", "json")).out)
    root = described["root_cid"]
    async with httpx.AsyncClient(base_url=f"{ipfs}/api/v0") as client:
        for shard in range(3):
            path = f"/ipfs/{root}/{shard}/outputs/a"
            answer = await client.post("/cat", params={"arg": path})
            assert answer.text == f"result {shard}\n"
        pinned = (await client.post("/pin/ls", params={"arg": root, "cid-base": "base32"})).json()
    assert pinned["Keys"][root]["Type"] == "direct"
