"""Who is asked: weighted rendezvous hashing.

Every member gets a score from its name, its weight and the key; the k best are chosen. Exactly k
are asked whatever the size of the network, nobody needs to know who else asks, and when a member
comes or goes only its own share moves. With u uniform in (0, 1) from the hash, the score is
-weight / ln(u), which gives each member a share in proportion to its weight (Schindelhauer and
Schomaker, "Weighted distributed hash tables", 2005).
"""

import heapq
import math
from collections.abc import Iterable
from hashlib import blake2b

_SPAN = float(2**64)


def score(member: str, key: str, weight: float) -> float:
    """Return the member's score for the key; higher is better, 0 or below is never chosen."""
    digest = blake2b(f"{key}\0{member}".encode(), digest_size=8).digest()
    u = (int.from_bytes(digest, "big") + 0.5) / _SPAN
    return -weight / math.log(u) if u < 1.0 else math.inf


def top(members: Iterable[tuple[str, float]], key: str, k: int) -> list[str]:
    """Return the k best of (name, weight) members for the key, best first."""
    scored = ((score(name, key, weight), name) for name, weight in members if weight > 0)
    return [name for _, name in heapq.nlargest(k, scored)]
