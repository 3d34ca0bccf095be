"""What the publisher suite does to a driver's place behind the driver's back."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from publishers.unixfs import tree_cid


class Place(Protocol):
    """A place for results; a driver is held to the suite once it has one in `PLACES`."""

    target: str

    def seen_cid(self, key: str) -> str | None:
        """Return the CID of what lies at a key, None for nothing; fail for a part of a result."""
        ...

    def tamper(self, key: str) -> None:
        """Change a byte of a published stdout."""
        ...

    def remove(self, key: str) -> None:
        """Take a published result away."""
        ...

    def leftovers(self) -> list[str]:
        """Name what lies there and is no result."""
        ...


class LocalPlace:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.target = str(folder)

    def seen_cid(self, key: str) -> str | None:
        place = self._folder / key
        return tree_cid(place).cid if place.exists() else None

    def tamper(self, key: str) -> None:
        (self._folder / key / "stdout").write_bytes(b"forged")

    def remove(self, key: str) -> None:
        shutil.rmtree(self._folder / key)

    def leftovers(self) -> list[str]:
        return [str(place) for place in (self._folder / ".staging").iterdir()]


PLACES: dict[str, Callable[[Path], Place]] = {"local": LocalPlace}
