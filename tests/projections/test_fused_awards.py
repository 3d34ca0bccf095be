"""What an award may say about publishing: only a fused job's does, and only of its own slots."""

import pytest

from events.decisions import ShardsAwarded, ShardsAwardedData
from events.items import Award
from tests.projections.conversation import Conversation


@pytest.mark.parametrize(
    ("verifier", "slots", "legal"),
    [("none", (0,), True), ("none", (7,), False), ("deterministic", (0,), False)],
)
def test_award_with_slots(verifier: str, slots: tuple[int, ...], *, legal: bool) -> None:
    """An award that assigns what it may not is skipped whole, and counted."""
    talk = Conversation()
    talk.submit(verifier=verifier, publishers=("free",))
    talk.plan()
    talk.decide(
        ShardsAwarded,
        ShardsAwardedData,
        awards=(Award(0, 0, "n0"),),
        until_ms=talk.now_ms + 60_000,
        publish=slots,
        publish_until_ms=talk.now_ms + 60_000,
    )
    assert (len(talk.job.shards[0].executions), talk.job.illegal) == ((1, 0) if legal else (0, 1))
