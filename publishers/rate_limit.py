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
        self._in_turn = asyncio.Lock()

    async def turn(self) -> None:
        """Wait until another request may begin, and count it; who gives up is not counted."""
        async with self._in_turn:
            while (wait_s := self._wait_s()) > 0:  # noqa: ASYNC110 - a timer may ring early
                await asyncio.sleep(wait_s)
            # When it does begin, not when it might have: a loop that was held up wakes late.
            self._begun.append(time.monotonic())

    def _wait_s(self) -> float:
        if len(self._begun) < (self._begun.maxlen or 0):
            return 0.0
        return self._begun[0] + self._window_s - time.monotonic()


_shared: dict[bytes, RateLimit] = {}


def shared_limit(url: str, token: str, requests: int, window_s: float) -> RateLimit:
    """Return the one limit of this process for a token at a service.

    It outlives those who use it, as the service remembers them. The token itself is not kept.
    """
    key = sha256(f"{url} {token}".encode()).digest()
    return _shared.setdefault(key, RateLimit(requests, window_s))
