"""What a decision that was just folded asks of its nodes, whatever came behind it in the batch."""

from events.decisions import JobPlanned, JobPlannedData
from events.items import Offer
from node.orders import fresh
from tests.projections.conversation import Conversation


def test_an_offer_keeps_its_number_when_another_follows() -> None:
    """Two rounds folded in one batch are each told under their own numbers."""
    talk = Conversation()
    talk.submit()
    planned = talk.tell(
        "r0",
        JobPlanned,
        JobPlannedData(
            seen=0,
            seal="",
            policy="test",
            shards=1,
            deadline_ms=talk.now_ms + 600_000,
            members=0,
            offers=(Offer(((0, 1),), ("n0",)),),
            bids_until_ms=talk.now_ms + 2_000,
        ),
    )
    assert planned is not None
    talk.offer("n1")

    told = fresh(talk.job, planned)
    assert {node: [order.offer for order in orders.offers] for node, orders in told.items()} == {
        "n0": [0]
    }
