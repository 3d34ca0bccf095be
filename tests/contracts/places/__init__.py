"""The places where the publisher suite tries the drivers: one module a driver, on a real server.

A place looks at what was published behind the driver's back, and spoils it there. Whoever
registers a driver adds its place to the table; without one the suite fails.
"""

from importlib import import_module
from pathlib import Path
from typing import Protocol, Self

from publishers.port import Workplace

PLACES = {
    "estuary": "tests.contracts.places.estuary:EstuaryPlace",
    "ipfs": "tests.contracts.places.ipfs:IpfsPlace",
    "local": "tests.contracts.places.local:LocalPlace",
    "lotus": "tests.contracts.places.lotus:LotusPlace",
    "nats": "tests.contracts.places.nats:NatsPlace",
    "s3": "tests.contracts.places.s3:S3Place",
    "web3storage": "tests.contracts.places.web3storage:Web3StoragePlace",
}


KEYED = ("local",)
"""Drivers with one result at a key, so that another one conflicts; the rest tell CIDs apart."""

SERVED = ("estuary", "ipfs", "nats", "s3", "web3storage")
"""Drivers that speak to a service by themselves, so that something can come between."""

LOCKED = ("estuary", "lotus", "s3", "web3storage")
"""Drivers whose service turns somebody away."""

BY_CLIENT = ("nats",)
"""Drivers that use the node's own connection, which others make."""


class Place(Protocol):
    """A fresh place for results on a server that this test process shares.

    It is made with a folder of its own. A driver with a `client` in its workplace is pointed by
    that connection, all others by the credential.
    """

    driver: str
    target: str
    credential: dict[str, str]
    workplace: Workplace

    refused: dict[str, str] | None
    """A credential that the service turns away, None where it turns nobody away."""

    port: int | None
    """The service's TCP port on this host, None when there is no service."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    def via(self, port: int) -> dict[str, str]:
        """Return the credential, pointed at another port of this host."""
        ...

    async def seen_cid(self, key: str, cid: str) -> str | None:
        """Return the CID of what is whole at the key, None for nothing.

        Where results are found by their CID alone, that is `cid` or None. Fails for a part of a
        result that looks whole.
        """
        ...

    async def tamper(self, key: str, cid: str) -> None:
        """Change a byte of a published stdout; skips where a service holds no wrong bytes."""
        ...

    async def remove(self, key: str, cid: str) -> None:
        """Take a published result away."""
        ...

    async def leftovers(self) -> list[str]:
        """Name what lies there and is no result."""
        ...


def place_of(driver: str, folder: Path) -> Place:
    """Make a place for a driver; it keeps what it needs below `folder`."""
    module, _, name = PLACES[driver].partition(":")
    made: Place = getattr(import_module(module), name)(folder)
    return made
