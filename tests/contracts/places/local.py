"""Where the driver `local` is tried: a folder."""

import shutil
from pathlib import Path
from typing import Self

from publishers.port import Workplace
from publishers.unixfs import tree_cid


class LocalPlace:
    """One publish root."""

    driver = "local"

    def __init__(self, folder: Path) -> None:
        self._root = folder / "root"
        self.target = str(self._root)
        self.credential: dict[str, str] = {}
        self.refused: dict[str, str] | None = None
        self.port: int | None = None
        self.workplace = Workplace(folder / "workplace")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def via(self, port: int) -> dict[str, str]:
        return {}

    async def seen_cid(self, key: str, cid: str) -> str | None:
        place = self._root / key
        return tree_cid(place).cid if place.exists() else None

    async def tamper(self, key: str, cid: str) -> None:
        (self._root / key / "stdout").write_bytes(b"forged")

    async def remove(self, key: str, cid: str) -> None:
        shutil.rmtree(self._root / key)

    async def leftovers(self) -> list[str]:
        staging = self._root / ".staging"
        return [str(place) for place in staging.iterdir()] if staging.exists() else []
