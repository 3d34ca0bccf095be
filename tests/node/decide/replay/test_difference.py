"""Two decisions field by field."""

import pytest

from events.decisions import ShardsOfferedData
from events.items import Offer
from node.decide.replay import Change, changes


def data(*offers: Offer, until_ms: int = 5) -> ShardsOfferedData:
    """Return the data of a round of offers."""
    return ShardsOfferedData(
        seen=1, seal="", policy="test", members=1, offers=offers, bids_until_ms=until_ms
    )


ONE = Offer(((0, 1),), ("a", "b"))


@pytest.mark.parametrize(
    ("recorded", "today", "found"),
    [
        (data(ONE), data(ONE), []),
        (data(), data(until_ms=6), [Change("bids_until_ms", 5, 6)]),
        (
            data(ONE),
            data(Offer(((0, 1),), ("a",))),
            [Change("offers[0].nodes", ("a", "b"), ("a",))],
        ),
        (
            data(),
            data(ONE),
            [Change("offers[0]", None, {"shards": ((0, 1),), "nodes": ("a", "b")})],
        ),
    ],
    ids=["none", "a value", "a list of names", "an item more"],
)
def test_changes(
    recorded: ShardsOfferedData, today: ShardsOfferedData, found: list[Change]
) -> None:
    """Fields are told by name, items by index, and a list of names as a whole."""
    assert list(changes(recorded, today)) == found
