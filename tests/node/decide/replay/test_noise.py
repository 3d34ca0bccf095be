"""Deciding again about a log in which anything may stand: it never fails, whatever the values."""

from typing import Any

import pytest

from tests.node.decide.replay.recorded import checked, records, supposed
from tests.projections.audit.noise import noisy


@pytest.mark.parametrize("job", [{}, {"verifier": "none", "replicas": 1}], ids=["agreed", "fused"])
@pytest.mark.parametrize("seed", range(40))
def test_any_value(seed: int, job: dict[str, Any]) -> None:
    """Five values of the log are replaced by others and all is sealed anew: all is counted."""
    log = noisy(seed, job)
    found = checked(records(log))
    assert found.decisions == found.same + found.differ + sum(found.undecidable.values())
    assert supposed(records(log), over_ask=3).compared == found.same
