"""Where the driver `estuary` is tried: an account of its own on the local server."""

from pathlib import Path
from typing import Self

from publishers.port import Workplace
from tests.servers.estuary import HOST, cid_of, estuary, key


class EstuaryPlace:
    """One account."""

    driver = "estuary"
    target = "results"

    def __init__(self, folder: Path) -> None:
        self._server = estuary()
        self.account = self._server.account()
        self.port: int | None = self._server.port
        self.credential = self.via(self._server.port)
        self.refused: dict[str, str] | None = self.credential | {"token": key()}
        self.workplace = Workplace(folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def via(self, port: int) -> dict[str, str]:
        """Return the credential, pointed at a port of this host."""
        url = f"http://{HOST}:{port}"
        gateway = f"{url}/accounts/{self.account.name}/gw"
        return {"token": self.account.user_key, "url": url, "gateway": gateway}

    async def seen_cid(self, key: str, cid: str) -> str | None:
        """Return the CID if the account holds it whole, None if it holds nothing of it."""
        held = [content for content in self.account.contents if content.cid == cid]
        assert not held or self.account.whole(cid), "a part of a result is listed as content"
        return cid if any(content.active for content in held) else None

    async def tamper(self, key: str, cid: str) -> None:
        """Change a byte of the block that `stdout` begins with."""
        root = self.account.blocks[cid_of(cid)]
        name = root.index(b"\x12\x06stdout")  # stands behind the CID in its link
        stdout = root[name - 36 : name]
        leaf = self.account.blocks[stdout]
        self.account.blocks[stdout] = bytes([leaf[0] ^ 1]) + leaf[1:] if leaf else b"x"

    async def remove(self, key: str, cid: str) -> None:
        """Take the content away."""
        self.account.contents[:] = [held for held in self.account.contents if held.cid != cid]
        self.account.blocks.clear()

    async def leftovers(self) -> list[str]:
        """Name contents that are no whole results."""
        return [held.cid for held in self.account.contents if not self.account.whole(held.cid)]
