"""A round of decisions fits one event, however much its items say."""

from events.items import ShardFailure
from node.decide.view import ROUND_BYTES_MAX, one_round


def test_a_round_has_room_for_so_much() -> None:
    """Items are taken in order while they fit; the rest is for the next round."""
    items = [ShardFailure(index, "infrastructure", "x" * 1000) for index in range(400)]
    taken = one_round(items)
    assert taken == tuple(items[: len(taken)])
    assert ROUND_BYTES_MAX // 1100 < len(taken) < ROUND_BYTES_MAX // 1000


def test_a_round_is_never_empty() -> None:
    """One item that is too large goes alone: nothing waits for ever."""
    huge = ShardFailure(0, "infrastructure", "x" * ROUND_BYTES_MAX)
    assert one_round([huge, huge]) == (huge,)
    assert one_round([]) == ()
