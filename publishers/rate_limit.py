"""At most so many requests in so many seconds, for all that share one limit."""

import asyncio
import time
from collections import deque
from hashlib import sha256


class RateLimit:
    """Lets `requests` begin in any `window_s` seconds; the others wait their turn, in order."""

    def __init__(self, requests: int, window_s: float) -> None:
        self._window_s = window_s
        self._begun: deque[float] = deque(maxlen=requests)

    async def turn(self) -> None:
        """Wait until another request may begin, and count it."""
        now = time.monotonic()
        begins = now
        if len(self._begun) == self._begun.maxlen:
            begins = max(now, self._begun[0] + self._window_s)
        # The turn is taken before the wait, so that nobody gets in between.
        self._begun.append(begins)
        if begins > now:
            await asyncio.sleep(begins - now)


_shared: dict[bytes, RateLimit] = {}


def shared_limit(url: str, token: str, requests: int, window_s: float) -> RateLimit:
    """Return the one limit of this process for a token at a service.

    It outlives those who use it, as the service remembers them. The token itself is not kept.
    """
    key = sha256(f"{url} {token}".encode()).digest()
    return _shared.setdefault(key, RateLimit(requests, window_s))
