"""The judgement of claims: a pure function, so that anyone can check a verdict from the log."""

from collections.abc import Mapping
from typing import NamedTuple

from events.items import Claim, Judgement, Rejection

WITHHELD = "withheld: it committed and did not reveal in time"
_CLAIMS_SHOWN_MAX = 5


class Witness(NamedTuple):
    """One execution that committed: its node, and its claim if it was revealed."""

    node: str
    claim: Claim | None


def judge(shard: int, witnesses: Mapping[int, Witness], confidence: int) -> Judgement:
    """Accept the claim that at least `confidence` agree on, or fail the shard with the evidence.

    Equality is of the whole claim. A tie for the largest group fails: who wants ties broken asks
    for more replicas.
    """
    groups: dict[Claim, list[int]] = {}
    for attempt in sorted(witnesses):
        claim = witnesses[attempt].claim
        if claim is not None:
            groups.setdefault(claim, []).append(attempt)
    ranked = sorted(groups.items(), key=lambda group: -len(group[1]))
    tie = len(ranked) > 1 and len(ranked[0][1]) == len(ranked[1][1])
    if not ranked or tie or len(ranked[0][1]) < confidence:
        return Judgement(
            shard=shard,
            result="failed",
            rejected=tuple(
                Rejection(attempt, WITHHELD if witnesses[attempt].claim is None else "no agreement")
                for attempt in sorted(witnesses)
            ),
            reason=_evidence(witnesses, confidence),
        )
    winner, accepted = ranked[0]
    return Judgement(
        shard=shard,
        result="accepted",
        accepted=tuple(accepted),
        rejected=tuple(
            Rejection(attempt, WITHHELD if witness.claim is None else "differs from the accepted")
            for attempt, witness in sorted(witnesses.items())
            if attempt not in accepted
        ),
        reason=f"{len(accepted)} of {len(witnesses)} agree",
        claim=winner,
    )


def _evidence(witnesses: Mapping[int, Witness], confidence: int) -> str:
    lines = [
        f"{witness.node} says "
        + (f"{witness.claim.cid} exit {witness.claim.exit_code}" if witness.claim else "nothing")
        for _, witness in sorted(witnesses.items())
    ]
    shown = "; ".join(lines[:_CLAIMS_SHOWN_MAX])
    more = f"; and {len(lines) - _CLAIMS_SHOWN_MAX} more" if len(lines) > _CLAIMS_SHOWN_MAX else ""
    return f"fewer than {confidence} agree: {shown}{more}"
