"""Where the driver `lotus` is tried: a fake daemon of its own, which a provider is behind."""

from pathlib import Path
from typing import Self

import pytest

from publishers.port import Workplace
from tests.servers.lotus import Lotus


class LotusPlace:
    """One daemon with its deals."""

    driver = "lotus"
    target = ""
    port: int | None = None

    def __init__(self, folder: Path) -> None:
        self.lotus = Lotus(folder)
        self._cars = folder / "cars"
        self.workplace = Workplace(folder / "workplace")
        self.lotus.control(token="jwt")
        self.credential = self.lotus.credential | {
            "api_info": "jwt:/ip4/127.0.0.1/tcp/1234/http",
            "folder": str(self._cars),
        }
        self.refused: dict[str, str] | None = self.credential | {
            "api_info": "forged:/ip4/127.0.0.1/tcp/1234/http"
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def via(self, port: int) -> dict[str, str]:
        """Skip: the driver runs a command, and no port is its own."""
        pytest.skip("the driver reaches its daemon by a command")

    async def seen_cid(self, key: str, cid: str) -> str | None:
        """Return the CID if the provider stores it, None if no deal for it goes well."""
        deals = self.lotus.state["deals"]
        good = [one for one, deal in deals.items() if deal["root"] == cid and deal["state"] != 26]
        for proposal in good:
            stored = self.lotus.home / "stored" / f"{proposal}.car"
            if deals[proposal]["state"] in {3, 5, 7, 13, 29}:
                assert stored.exists(), "a deal goes well of which nothing is stored"
                return cid
        return None

    async def tamper(self, key: str, cid: str) -> None:
        """Skip: providers prove to the chain what they hold."""
        pytest.skip("a provider proves what it stores")

    async def remove(self, key: str, cid: str) -> None:
        """Have the provider lose it before the deal was on the chain."""
        state = self.lotus.state
        for proposal, deal in state["deals"].items():
            if deal["root"] == cid:
                (self.lotus.home / "stored" / f"{proposal}.car").unlink()
                deal |= {"state": 26, "deal_id": 0, "message": "deal failed: (State=2) lost it"}
        self.lotus.state = state

    async def leftovers(self) -> list[str]:
        """Name CARs that no transfer needs."""
        if not self._cars.exists():
            return []
        staged = [*(self._cars / ".staging").iterdir()]
        return [str(path) for path in (*self._cars.glob("*.car"), *staged)]
