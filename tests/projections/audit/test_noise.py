"""The audit of a log in which anything may stand: it never fails, whatever the values are."""

from typing import Any

import pytest

from tests.projections.audit.noise import noisy


@pytest.mark.parametrize("job", [{}, {"verifier": "none", "replicas": 1}], ids=["agreed", "fused"])
@pytest.mark.parametrize("seed", range(40))
def test_any_value(seed: int, job: dict[str, Any]) -> None:
    """Five values of the log are replaced by others and all is sealed anew: there is a report."""
    log = noisy(seed, job)
    assert log.audit().events == len(log.messages)
