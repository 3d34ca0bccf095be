"""The audit of a log in which anything may stand: it never fails, whatever the values are."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from events.errors import EventError
from tests.projections.audit.forging import honest

VALUES: tuple[Any, ...] = (-1, 0, 1, 7, 1 << 62, "", "x", "n1", None, [], [[0, 1]], [[5, 1 << 40]])


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a document: what holds it, and its key or index there."""
    inner = enumerate(value) if isinstance(value, list) else value.items()
    found: list[tuple[Any, Any]] = []
    for key, one in list(inner):
        found.append((value, key))
        if isinstance(one, list | dict):
            found += places(one)
    return found


@pytest.mark.parametrize("job", [{}, {"verifier": "none", "replicas": 1}], ids=["agreed", "fused"])
@pytest.mark.parametrize("seed", range(40))
def test_any_value(seed: int, job: dict[str, Any]) -> None:
    """Five values of the log are replaced by others and all is sealed anew: there is a report."""
    chance = Random(seed)
    log = honest(**job)
    for _ in range(5):
        message = chance.choice(log.messages)
        document = json.loads(message.body)
        holder, key = chance.choice(places(document["data"]))
        holder[key] = chance.choice(VALUES)
        message.body = json.dumps(document).encode()
    with suppress(EventError, OverflowError):
        log.seal()

    assert log.audit().events == len(log.messages)
