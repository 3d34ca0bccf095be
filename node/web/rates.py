"""How often each client may ask: a bucket for each name or address that asked lately."""

import ipaddress
from collections import OrderedDict
from typing import NamedTuple

CLIENTS_MAX = 10_000
"""So many clients are told apart; the one that has asked least lately begins anew."""

SHARED_PREFIX = 64
"""Who has one IPv6 address has all of its network, so they count as one."""


class Rate(NamedTuple):
    """So many requests may come at once, and so many a second from then on."""

    burst: int
    per_s: float


class _Bucket(NamedTuple):
    left: float
    at_s: float


class Rates:
    """Counts the requests of each client against one rate."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait_s(self, client: str, now_s: float) -> float:
        """Return 0 and take one when the client may ask now, else after how long it may."""
        key = _key(client)
        bucket = self._buckets.pop(key, _Bucket(self._rate.burst, now_s))
        gained = max(0.0, now_s - bucket.at_s) * self._rate.per_s
        left = min(float(self._rate.burst), bucket.left + gained)
        wait_s = 0.0 if left >= 1 else (1 - left) / self._rate.per_s
        self._buckets[key] = _Bucket(left if wait_s else left - 1, now_s)
        if len(self._buckets) > CLIENTS_MAX:
            self._buckets.popitem(last=False)
        return wait_s


def _key(client: str) -> str:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:  # noqa: PLR2004 - IPv4
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, SHARED_PREFIX), strict=False))
