"""Where the driver `ipfs` is tried: a js-ipfs node, looked at by its RPC and its files."""

import asyncio
from base64 import b32encode
from pathlib import Path
from typing import Any, Self

import httpx

from events.cid import DAG_PB, RAW, cid_bytes
from events.dagpb import decode
from publishers.port import Workplace
from publishers.root_car import EMPTY_FOLDER
from tests.servers.js_ipfs import js_ipfs
from tests.servers.web3_storage import parsed

HOST = "127.0.0.1"


class IpfsPlace:
    """One node, whose blocks are files below `folder`."""

    driver = "ipfs"
    target = ""
    refused: dict[str, str] | None = None

    def __init__(self, folder: Path) -> None:
        self._server = js_ipfs()
        self._repository = folder / "js-ipfs"
        self._repository.parent.mkdir(parents=True, exist_ok=True)
        self._node = self._server.start(self._repository)
        # Loopback needs no certificates, and reading them takes longer than all the rest.
        url = f"http://{HOST}:{self._node}/api/v0/"
        self._client = httpx.AsyncClient(base_url=url, timeout=30, verify=False)
        self.port: int | None = self._node
        self.credential = self.via(self._node)
        self.workplace = Workplace(folder / "workplace")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        await asyncio.to_thread(self._server.stop, self._node)

    def via(self, port: int) -> dict[str, str]:
        return {"url": f"http://{HOST}:{port}"}

    async def seen_cid(self, key: str, cid: str) -> str | None:
        if cid not in await self.pins("recursive"):
            return None
        blocks = await self._exported(cid)
        for name in blocks:
            if name[1] == DAG_PB:
                missing = {link.cid for link in decode(blocks[name])[0]} - set(blocks)
                assert not missing, f"{cid} is pinned and lacks {len(missing)} blocks"
        return cid

    async def tamper(self, key: str, cid: str) -> None:
        root = decode((await self._exported(cid))[cid_bytes(cid)])[0]
        stdout = next(link.cid for link in root if link.name == b"stdout")
        assert stdout[1] == RAW, "tamper with a stdout of one chunk"
        file = self._block_file(stdout)
        data = file.read_bytes()
        file.write_bytes(bytes([data[0] ^ 1]) + data[1:] if data else b"forged")

    async def remove(self, key: str, cid: str) -> None:
        blocks = await self._exported(cid)
        await self._call("pin/rm", arg=cid)
        empty = cid_bytes(EMPTY_FOLDER.cid)
        for name in set(blocks) - {empty}:
            self._block_file(name).unlink()

    async def leftovers(self) -> list[str]:
        """Name pins that are neither whole results nor the probe, and all that is half pinned."""
        strays = [cid for cid in await self.pins("recursive") if cid != EMPTY_FOLDER.cid]
        whole = [cid for cid in strays if await self.seen_cid("", cid) == cid]
        return sorted({*strays, *await self.pins("direct")} - set(whole))

    async def pins(self, kind: str) -> set[str]:
        """Return the CIDs that the node pins: `recursive`, `direct` or `indirect`."""
        answer = (await self._call("pin/ls", type=kind)).json()
        pins: dict[str, Any] = answer.get("Keys") or {}
        return set(pins)

    async def _exported(self, cid: str) -> dict[bytes, bytes]:
        answer = await self._call("dag/export", arg=cid)
        return dict(parsed(answer.content)[1])

    async def _call(self, command: str, **params: str) -> httpx.Response:
        answer = await self._client.post(command, params={"cid-base": "base32", **params})
        answer.raise_for_status()
        return answer

    def _block_file(self, cid: bytes) -> Path:
        name = b32encode(cid[2:]).decode().rstrip("=")
        return self._repository / "blocks" / name[-3:-1] / f"{name}.data"
