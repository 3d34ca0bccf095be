"""Deciding again about a log in which anything may stand: it never fails, whatever the values."""

import json
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from events.errors import EventError
from tests.node.decide.replay.recorded import checked, records, supposed
from tests.projections.audit.forging import honest
from tests.projections.audit.test_noise import VALUES, places


@pytest.mark.parametrize("job", [{}, {"verifier": "none", "replicas": 1}], ids=["agreed", "fused"])
@pytest.mark.parametrize("seed", range(40))
def test_any_value(seed: int, job: dict[str, Any]) -> None:
    """Five values of the log are replaced by others and all is sealed anew: all is counted."""
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

    found = checked(records(log))
    assert found.decisions == found.same + found.differ + sum(found.undecidable.values())
    assert supposed(records(log), over_ask=3).compared == found.same
