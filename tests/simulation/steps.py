"""Virtual time: steps in a heap, and chance alone says which of those due together comes first."""

import heapq
from collections.abc import Callable
from random import Random

EPOCH_MS = 1_795_000_000_000
"""When every simulation starts; the drawn clocks of the processes begin around it."""

Action = Callable[[], None]


class Steps:
    """All that is to happen, by time."""

    def __init__(self, chance: Random) -> None:
        self.now_ms = 0
        self.done = 0
        self._chance = chance
        self._heap: list[tuple[int, float, int, Action]] = []
        self._made = 0

    def later(self, delay_ms: int, action: Action) -> None:
        """Let something happen after a delay."""
        self._made += 1
        entry = (self.now_ms + delay_ms, self._chance.random(), self._made, action)
        heapq.heappush(self._heap, entry)

    def run(self, until: Callable[[], bool], *, limit_ms: int) -> bool:
        """Take step after step until the condition holds; False when time was up before that."""
        while not until():
            if not self._heap or self._heap[0][0] > limit_ms:
                self.now_ms = limit_ms
                return until()
            self.now_ms, _, _, action = heapq.heappop(self._heap)
            self.done += 1
            action()
        return True
