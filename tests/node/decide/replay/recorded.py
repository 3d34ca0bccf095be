"""Small simulated logs, and what deciding again makes of them."""

from collections.abc import Iterable, Mapping
from typing import Any

from events.log import Record
from node.decide.replay import Check, Checked, Supposed, WhatIf
from node.policy import Policy
from tests.projections.audit.forging import Forged
from tests.simulation.stage import POLICY, Stage

KNOWN = {POLICY.version: POLICY}


def records(log: Forged) -> list[Record]:
    """Return the messages of a forged log as a log has them."""
    return [Record(n, m.subject, m.body) for n, m in enumerate(log.messages, 1)]


def checked(log: Iterable[Record], policies: Mapping[str, Policy] = KNOWN, **scope: Any) -> Checked:
    """Return what deciding a log again comes to."""
    check = Check(policies, **scope)
    for record in log:
        check.take(record)
    return check.finish()


def supposed(
    log: Iterable[Record], policies: Mapping[str, Policy] = KNOWN, **numbers: int
) -> Supposed:
    """Return what would have been otherwise by other numbers."""
    what_if = WhatIf(numbers, policies)
    for record in log:
        what_if.take(record)
    return what_if.finish()


def stage(*, nodes: int = 6, policy: Policy = POLICY, **job: Any) -> Stage:
    """Play one job in a network in which nothing goes wrong."""
    made = Stage(nodes=nodes, policy=policy)
    for node in made.nodes:
        node.run_ms, node.upload_ms = 100, 100
    made.open()
    made.submit(**job)
    made.play()
    return made
