"""Who is asked."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.ring import top

members = st.dictionaries(
    st.text("abcdefgh0123", min_size=1, max_size=6),
    st.floats(min_value=0.1, max_value=100),
    max_size=20,
)


@given(members, st.text(max_size=10), st.integers(1, 8))
def test_exactly_k(network: dict[str, float], key: str, k: int) -> None:
    """Exactly k distinct members are chosen, or all when there are fewer."""
    chosen = top(network.items(), key, k)

    assert len(chosen) == len(set(chosen)) == min(k, len(network))
    assert set(chosen) <= set(network)


@given(members, st.text(max_size=10))
def test_order_of_members(network: dict[str, float], key: str) -> None:
    """The choice does not depend on the order in which members are known."""
    assert top(network.items(), key, 3) == top(reversed(list(network.items())), key, 3)


@given(members, st.text(max_size=10), st.integers(1, 5))
def test_minimal_movement(network: dict[str, float], key: str, k: int) -> None:
    """Who leaves takes only its own place along: the others stay chosen in their order."""
    chosen = top(network.items(), key, k)
    for gone in chosen[:1]:
        rest = {name: weight for name, weight in network.items() if name != gone}
        assert top(rest.items(), key, k)[: len(chosen) - 1] == chosen[1:]


def test_weights() -> None:
    """Shares are in proportion to weights."""
    network = {"small": 1.0, "middle": 2.0, "large": 5.0}
    firsts = Counter(top(network.items(), f"key{n}", 1)[0] for n in range(8_000))

    assert firsts["small"] / 1_000 == pytest.approx(1, rel=0.1)
    assert firsts["middle"] / 2_000 == pytest.approx(1, rel=0.1)
    assert firsts["large"] / 5_000 == pytest.approx(1, rel=0.1)


def test_no_weight() -> None:
    """Who has no weight is never asked."""
    assert top([("a", 0.0), ("b", -1.0), ("c", 1.0)], "key", 3) == ["c"]
