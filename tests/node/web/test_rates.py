"""How often a client may ask."""

import pytest

from node.web.rates import CLIENTS_MAX, Rate, Rates


def test_a_burst_is_let_in_and_then_a_rate() -> None:
    """After the burst the next request has to wait for as long as one takes to be gained."""
    rates = Rates(Rate(burst=3, per_s=2))
    assert [rates.wait_s("1.2.3.4", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.wait_s("1.2.3.4", 0.5) == 0
    assert rates.wait_s("1.2.3.4", 0.5) == 0.5


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Time that is set back neither fills nor empties a bucket."""
    rates = Rates(Rate(burst=1, per_s=1))
    assert rates.wait_s("a", 100.0) == 0
    assert rates.wait_s("a", 0.0) == 1
    assert rates.wait_s("a", 1.0) == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::ffff:1.2.3.4", "1.2.3.4", True),
    ],
)
def test_addresses_that_one_client_has_count_as_one(one: str, other: str, *, same: bool) -> None:
    """A network of IPv6 is one client, and an address of IPv4 is one in either spelling."""
    rates = Rates(Rate(burst=1, per_s=1))
    rates.wait_s(one, 0.0)
    assert (rates.wait_s(other, 0.0) > 0) is same


def test_many_addresses_take_no_more_memory_than_some() -> None:
    """Who has asked least lately is forgotten when there are too many."""
    rates = Rates(Rate(burst=1, per_s=0.001))
    rates.wait_s("0", 0.0)
    for number in range(1, CLIENTS_MAX + 1):
        rates.wait_s(str(number), 0.0)
    assert rates.wait_s(str(CLIENTS_MAX), 0.0) > 0
    assert rates.wait_s("0", 0.0) == 0
