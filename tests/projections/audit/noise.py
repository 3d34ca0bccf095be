"""Logs in which anything may stand."""

import json
from contextlib import suppress
from random import Random
from typing import Any

from events.errors import EventError
from tests.projections.audit.forging import Forged, honest

VALUES: tuple[Any, ...] = (-1, 0, 1, 7, 1 << 62, "", "x", "n1", None, [], [[0, 1]], [[5, 1 << 40]])


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document: what holds it, and its key or index there."""
    inner = enumerate(value) if isinstance(value, list) else value.items()
    found: list[tuple[Any, Any]] = []
    for key, one in list(inner):
        found.append((value, key))
        if isinstance(one, list | dict):
            found += _places(one)
    return found


def noisy(seed: int, job: dict[str, Any]) -> Forged:
    """Return an honest log of a job with five values replaced by others, and sealed anew."""
    chance = Random(seed)
    log = honest(**job)
    for _ in range(5):
        message = chance.choice(log.messages)
        document = json.loads(message.body)
        holder, key = chance.choice(_places(document["data"]))
        holder[key] = chance.choice(VALUES)
        message.body = json.dumps(document).encode()
    with suppress(EventError, OverflowError):
        log.seal()
    return log
