"""The rules by number: every limit and every wait of the requesters' decisions, in one place.

A decision records `version`, so that it can be checked later against the rules it was made by.
"""

from collections.abc import Mapping

import msgspec


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What placement, verdicts and publishing go by.

    Change a number: change the version, and keep the numbers of before in `POLICIES`.
    """

    version: str = "2026-11.2"

    over_ask: int = 2
    """Nodes asked per execution that is needed."""
    groups_max: int = 16
    """Groups that a job's shards are ranked in; each asks nodes of its own."""
    bids_ms: int = 2_000
    """How long an offer waits for bids before the next nodes are asked."""
    offer_backoff_ms: int = 1_000
    """The first pause after everybody was asked in vain; it doubles each round."""
    offer_backoff_ms_max: int = 30_000
    retries_max: int = 3
    """Executions of a shard beyond the deal's replicas."""

    run_grace_ms: int = 30_000
    """Added to the time limit of an execution before it is given up on."""
    reveal_ms: int = 60_000
    """How long a commitment may stay unopened."""
    publish_ms: int = 600_000
    """How long a publication may take before another node takes over."""
    publish_tries_max: int = 8
    publish_backoff_ms: int = 1_000
    publish_backoff_ms_max: int = 60_000
    lookups_max: int = 5
    """How often the service is asked about a doubtful paid slot before a person must look."""
    paid: frozenset[str] = frozenset({"lotus"})
    """Publishers of which every upload costs money."""
    linked: frozenset[str] = frozenset({"ipfs", "web3storage"})
    """Publishers where a job's root finds its shards by CID, so that it is published there too."""
    root_ms: int = 60_000
    """How long publishing the root may take before another node tries."""
    root_tries_max: int = 4
    """Tries after which a job completes without its root at a publisher: it can be made anew."""

    patience_ms: int = 2_000
    """How long a node may owe an answer before it is told again."""
    close_grace_ms: int = 10_000
    """How long a cancelled execution may take to stop before the job is closed without its word."""
    overdue_grace_ms: int = 10_000
    """After this, a deadline that its requester let pass is anybody's."""
    presence_ms: int = 10_000
    """Heartbeats missing for this long mean that the node is lost."""

    round_items_max: int = 1_000
    verdicts_max: int = 400
    """Verdicts carry their evidence, so a round of them holds fewer."""

    def __post_init__(self) -> None:
        """Refuse other numbers under a version that is known: a decision would tell a lie."""
        known = POLICIES.get(self.version)
        if known is not None and known != self:
            raise ValueError(f"policy {self.version} has other numbers; give these a version")


POLICIES: dict[str, Policy] = {}
"""The rules by version, so that decisions can be made again as they were made: an earlier version
has here what was other numbers than now."""
for _policy in (Policy(version="2026-11", linked=frozenset()), Policy()):
    POLICIES[_policy.version] = _policy

NUMBERS: tuple[str, ...] = tuple(
    field.name for field in msgspec.structs.fields(Policy) if field.type is int
)
"""What can be set to another number."""


def with_numbers(policy: Policy, numbers: Mapping[str, int]) -> Policy:
    """Return the rules with other numbers, under a version that no decision of a log has."""
    return msgspec.structs.replace(policy, version=f"what if {policy.version}", **numbers)
