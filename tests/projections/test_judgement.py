"""The judgement of claims, as a table."""

import pytest

from events.items import Claim
from projections.judgement import WITHHELD, Witness, judge

A = Claim("a", 1, 0)
B = Claim("b", 1, 0)
LARGER = Claim("a", 2, 0)
OTHER_CODE = Claim("a", 1, 1)
OTHER_FUEL = Claim("a", 1, 0, 7)
NOT = None

TABLE: tuple[tuple[tuple[Claim | None, ...], int, tuple[int, ...]], ...] = (
    ((A,), 1, (0,)),
    ((NOT,), 1, ()),
    ((), 1, ()),
    ((A, A), 2, (0, 1)),
    ((A, B), 2, ()),
    ((A, B), 1, ()),
    ((A, NOT), 2, ()),
    ((A, NOT), 1, (0,)),
    ((A, B, A), 2, (0, 2)),
    ((B, A, A), 2, (1, 2)),
    ((A, B, A), 3, ()),
    ((A, A, B, B), 2, ()),
    ((A, A, B, B, B), 2, (2, 3, 4)),
    ((A, A, NOT, NOT), 2, (0, 1)),
    ((A, LARGER), 2, ()),
    ((A, OTHER_CODE), 2, ()),
    ((A, OTHER_FUEL), 2, ()),
)


@pytest.mark.parametrize(("claims", "confidence", "accepted"), TABLE)
def test_table(
    claims: tuple[Claim | None, ...], confidence: int, accepted: tuple[int, ...]
) -> None:
    """Only the largest group is accepted, when it is large enough and no other is as large."""
    witnesses = {n: Witness(f"n{n}", claim) for n, claim in enumerate(claims)}
    judgement = judge(7, witnesses, confidence)

    assert (judgement.shard, judgement.accepted) == (7, accepted)
    assert judgement.result == ("accepted" if accepted else "failed")
    named = {*accepted, *(rejection.attempt for rejection in judgement.rejected)}
    assert named == set(witnesses)
    assert judgement.claim == (claims[accepted[0]] if accepted else None)


def test_evidence() -> None:
    """A failed judgement says who claimed what, and who kept silent."""
    witnesses = {0: Witness("n0", A), 1: Witness("n1", B), 2: Witness("n2", None)}
    judgement = judge(0, witnesses, 2)

    assert "n0 says a exit 0; n1 says b exit 0; n2 says nothing" in judgement.reason
    assert judgement.rejected[2].reason == WITHHELD
