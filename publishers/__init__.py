"""Where results go: the content model and one driver a file.

A driver is a module with a class that takes (target, credential), and a line in the table here.
Modules load when a driver is opened, so that a node pays only for the ones it uses.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from events.errors import PublishError
from publishers.port import OpenPublisher, Publisher, Workplace

_drivers: dict[str, OpenPublisher | str] = {
    "estuary": "publishers.estuary:EstuaryPublisher",
    "ipfs": "publishers.ipfs:IpfsPublisher",
    "local": "publishers.local:LocalPublisher",
    "lotus": "publishers.lotus:LotusPublisher",
    "nats": "publishers.nats_objects:NatsPublisher",
    "s3": "publishers.s3:S3Publisher",
    "web3storage": "publishers.web3storage:Web3StoragePublisher",
}

NO_CREDENTIAL = frozenset({"local", "nats"})
"""Drivers whose place is part of the network itself; all others are pointed by a credential."""


def register(name: str, driver: OpenPublisher) -> None:
    """Make a driver known by the name that specs use."""
    _drivers[name] = driver


def names() -> tuple[str, ...]:
    """Return the names of all drivers, sorted."""
    return tuple(sorted(_drivers))


def credential_needed() -> dict[str, bool]:
    """Return all drivers, and whether a job must name a credential for each."""
    return {name: name not in NO_CREDENTIAL for name in names()}


def open_publisher(
    name: str, target: str, credential: Mapping[str, str], workplace: Workplace
) -> Publisher:
    """Open a driver for one target; `credential` holds values, so it never leaves the node.

    Raises `PublishError` for an unknown driver and for a target that it cannot use.
    """
    driver = _drivers.get(name)
    if driver is None:
        raise PublishError(
            "unknown-driver",
            f"there is no publisher {name!r}",
            permanent=True,
            hint=f"Use one of: {', '.join(names())}",
        )
    if isinstance(driver, str):
        module, _, attribute = driver.partition(":")
        driver = cast("OpenPublisher", getattr(import_module(module), attribute))
    return driver(target, credential, workplace)
