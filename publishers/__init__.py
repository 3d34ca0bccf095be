"""Where results go: the content model and one driver a file.

A driver is a module with a class that takes (target, credential), a line in the table here, and one
in `events.spec.PUBLISHERS`, by which clients know what a job may name.
Modules load when a driver is opened, so that a node pays only for the ones it uses.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import cast

from events.errors import PublishError
from publishers.port import OpenPublisher, Publisher, Workplace

_drivers: Mapping[str, str] = {
    "estuary": "publishers.estuary:EstuaryPublisher",
    "ipfs": "publishers.ipfs:IpfsPublisher",
    "local": "publishers.local:LocalPublisher",
    "lotus": "publishers.lotus:LotusPublisher",
    "nats": "publishers.nats_objects:NatsPublisher",
    "s3": "publishers.s3:S3Publisher",
    "web3storage": "publishers.web3storage:Web3StoragePublisher",
}


def names() -> tuple[str, ...]:
    """Return the names of all drivers, sorted."""
    return tuple(sorted(_drivers))


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
    module, _, attribute = driver.partition(":")
    opens = cast("OpenPublisher", getattr(import_module(module), attribute))
    return opens(target, credential, workplace)
