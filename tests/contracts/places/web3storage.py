"""Where the driver `web3storage` is tried: a service of its own, looked at from inside."""

from hashlib import sha256
from pathlib import Path
from typing import Self

from events.cid import cid_bytes
from events.dagpb import decode
from publishers.port import Workplace
from tests.servers.web3_storage import BLOCKED_TOKEN, HOST, TOKEN, Web3Storage


class Web3StoragePlace:
    """One service, with windows so short that its rate limit holds nobody up."""

    driver = "web3storage"
    target = ""

    def __init__(self, folder: Path) -> None:
        self._service = Web3Storage(scale=0.01)
        self._service.__enter__()
        self.port: int | None = self._service.port
        self.credential = self.via(self._service.port)
        self.refused: dict[str, str] | None = self.credential | {"token": BLOCKED_TOKEN}
        self.workplace = Workplace(folder / "workplace")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._service.__exit__()

    def via(self, port: int) -> dict[str, str]:
        url = f"http://{HOST}:{port}"
        return {"url": url, "gateway": url, "token": TOKEN}

    async def seen_cid(self, key: str, cid: str) -> str | None:
        root = cid_bytes(cid)
        if not any(cid == uploaded for _, uploaded in self._service.uploads):
            return None
        if not self._service.complete(root):
            return None  # the service says `Pinning`: it does not look whole
        blocks = self._service.blocks
        assert all(sha256(blocks[name]).digest() == name[4:] for name in self._service.below(root))
        return cid

    async def tamper(self, key: str, cid: str) -> None:
        blocks = self._service.blocks
        links = decode(blocks[cid_bytes(cid)])[0]
        stdout = next(link.cid for link in links if link.name == b"stdout")
        data = blocks[stdout]
        blocks[stdout] = bytes([data[0] ^ 1]) + data[1:] if data else b"forged"

    async def remove(self, key: str, cid: str) -> None:
        self._service.forget(cid_bytes(cid))

    async def leftovers(self) -> list[str]:
        """Name uploads of which pieces are missing."""
        cids = [cid for _, cid in self._service.uploads]
        return [cid for cid in cids if not self._service.complete(cid_bytes(cid))]
