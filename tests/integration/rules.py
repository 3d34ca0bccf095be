"""The quicker rules that networks of the tests go by, each with a version of its own."""

from node.policy import POLICIES, Policy

QUICK = Policy(
    version="quick",
    bids_ms=400,
    offer_backoff_ms=100,
    offer_backoff_ms_max=200,
    retries_max=2,
    run_grace_ms=500,
    reveal_ms=1_000,
    publish_backoff_ms=100,
    patience_ms=200,
    close_grace_ms=1_000,
    overdue_grace_ms=1_000,
    presence_ms=3_000,
)
IMPATIENT = Policy(version="impatient", presence_ms=2_500, overdue_grace_ms=1_000)
HASTY = Policy(
    version="hasty",
    publish_ms=2_000,
    publish_tries_max=2,
    publish_backoff_ms=100,
    presence_ms=2_500,
)
KNOWN = {**POLICIES, **{policy.version: policy for policy in (QUICK, IMPATIENT, HASTY)}}
"""Every version that a decision in a test's log may name."""
