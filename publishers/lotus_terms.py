"""What the operator of a node is ready to pay for a storage deal, and to whom."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from events.errors import PublishError
from publishers.http import required

_DRIVER = "lotus"
_WAIT_FOR = ("accepted", "active")
# Nothing that begins with a dash: these become arguments of a command.
_SHAPES = {
    "miner": (re.compile(r"[ft][0-9][A-Za-z0-9]{1,90}"), "a provider's address, as f01234"),
    "price": (re.compile(r"[0-9]+(?:\.[0-9]+)?(?: ?[a-z]{0,5}(?:fil|FIL))?"), "FIL an epoch"),
    "duration": (re.compile(r"[1-9][0-9]{0,9}"), "a number of epochs of 30 s, 518400 or more"),
    "wallet": (re.compile(r"(?:[ft][0-9][A-Za-z0-9]{1,90})?"), "an address of the daemon's wallet"),
    "wait_for": (re.compile("|".join(_WAIT_FOR)), " or ".join(_WAIT_FOR)),
}


class Terms(NamedTuple):
    """The arguments of a deal, checked for their shape; `wallet` is empty for the daemon's own."""

    miner: str
    price: str
    duration: str
    wallet: str
    wait_for: str


def read_terms(credential: Mapping[str, str]) -> Terms:
    """Return the terms of a credential; raise `PublishError` naming a missing or bad field."""
    values = [required(_DRIVER, credential, field) for field in ("miner", "price", "duration")]
    values += [credential.get("wallet", ""), credential.get("wait_for") or _WAIT_FOR[0]]
    for field, value in zip(Terms._fields, values, strict=True):
        shape, meaning = _SHAPES[field]
        if not shape.fullmatch(value):
            raise PublishError(
                "credential",
                f"the field {field!r} of the credential for {_DRIVER!r} cannot be used",
                permanent=True,
                hint=f"Give {meaning}",
            )
    return Terms(*values)
