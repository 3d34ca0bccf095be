"""What goes on, told to all who follow it: one reader, and a place in what it read for each client.

The newest items are held once, however many follow. A client is a place among them and a signal;
whoever falls behind the oldest one that is held has lost its place, so that slow clients cost
nothing and hold up nobody. What a client is sent is joined once for all that stand at its place.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple, Protocol

CLIENTS_MAX = 1_500
"""Who comes when there are so many is told to come again."""

ITEMS_MAX = 8_192
BYTES_MAX = 8 * 1024 * 1024
"""What is held for clients that are a little behind."""

CHUNK_BYTES_MAX = 64 * 1024
"""What is sent to a client at one time, unless one item is longer."""

WAKE_EVERY_S = 0.02
"""What comes within it is sent to each client at one time, and not one by one."""

PING_S = 15.0
"""How often a client is sent something, so that both ends notice when the other is gone."""


class Item(Protocol):
    """Something that happened at a position of the log; `size_bytes` is what holding it takes."""

    @property
    def position(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def text(self) -> bytes:
        """What is sent of it, empty for nothing."""
        ...


class Choice(Protocol):
    """Which items a client wants; equal choices want the same ones."""

    def __hash__(self) -> int: ...
    def __contains__(self, item: object) -> bool: ...


class Everything:
    """A choice of all items."""

    def __contains__(self, item: object) -> bool:
        return True


EVERYTHING = Everything()


class Client:
    """One who follows: how far it has come, and a signal for when there is more."""

    def __init__(self, place: int) -> None:
        self.place = place
        self.gone = False
        self.wake = asyncio.Event()
        self._beat = 0

    def leave(self) -> None:
        """Note that nobody reads any more."""
        self.gone = True
        self.wake.set()

    def pinged(self, beat: int) -> bool:
        """Say whether it is time to be sent something."""
        due, self._beat = self._beat != beat, beat
        return due


class _Chunk(NamedTuple):
    data: bytes
    place: int


class Hub:
    """The newest items, and who follows them.

    `last` is the position that was come to, `floor` the one behind which all is held. `dropped`
    counts clients that fell behind it.
    """

    def __init__(self, *, items_max: int = ITEMS_MAX, clients_max: int = CLIENTS_MAX) -> None:
        self.last = 0
        self.floor = 0
        self.dropped = 0
        self.beat = 0
        self.closed = False
        self._items_max = items_max
        self._clients_max = clients_max
        self._clients: set[Client] = set()
        self._parted = asyncio.Event()
        self._waking: asyncio.TimerHandle | None = None
        self._woke_at_s = 0.0
        self._items: list[Item] = []
        self._positions: list[int] = []
        self._size_bytes = 0
        self._chunks: dict[tuple[int, Choice], _Chunk] = {}

    @property
    def clients(self) -> int:
        """How many follow."""
        return len(self._clients)

    @property
    def full(self) -> bool:
        """Whether nobody else may come."""
        return self.closed or len(self._clients) >= self._clients_max

    @property
    def queued(self) -> int:
        """How many items the clients have yet to be sent, all together."""
        positions = self._positions
        return sum(len(positions) - bisect_right(positions, c.place) for c in self._clients)

    def begin(self, position: int) -> None:
        """Begin, or begin anew, behind a position; who stands elsewhere has lost its place."""
        self.last = self.floor = position
        for client in self._clients:
            if client.place > position:
                client.leave()
        self._items, self._positions, self._size_bytes = [], [], 0
        self._wake()

    def add(self, items: Sequence[Item], last: int) -> None:
        """Take in what came, up to a position, and tell those who follow."""
        self._items.extend(items)
        self._positions.extend(item.position for item in items)
        self._size_bytes += sum(item.size_bytes for item in items)
        self.last = last
        self._chunks.clear()
        self._shrink()
        if self._clients and self._waking is None:
            loop = asyncio.get_running_loop()
            self._waking = loop.call_at(self._woke_at_s + WAKE_EVERY_S, self._wake)

    def join(self, place: int) -> Client:
        """Follow from a position on; `part` ends it."""
        client = Client(place)
        self._clients.add(client)
        return client

    def part(self, client: Client) -> None:
        """Follow no more; safe to repeat."""
        self._clients.discard(client)
        parted, self._parted = self._parted, asyncio.Event()
        parted.set()

    async def at_most(self, clients: int) -> None:
        """Wait until no more than so many follow."""
        while len(self._clients) > clients:
            await self._parted.wait()

    async def ping(self) -> None:
        """Have something sent to each client now and then, until cancelled."""
        while True:
            await asyncio.sleep(PING_S)
            self.beat += 1
            self._wake()

    def close(self) -> None:
        """End what every client is sent."""
        self.closed = True
        self._wake()

    def chunk(self, place: int, choice: Choice = EVERYTHING) -> _Chunk:
        """Return what is to be sent next behind a place, and the place behind that."""
        found = self._chunks.get((place, choice))
        if found is None:
            found = self._chunks[place, choice] = self._joined(place, choice)
        return found

    def _joined(self, place: int, choice: Choice) -> _Chunk:
        texts: list[bytes] = []
        size_bytes = 0
        for index in range(bisect_right(self._positions, place), len(self._items)):
            item = self._items[index]
            if item in choice and (text := item.text):
                if size_bytes and size_bytes + len(text) > CHUNK_BYTES_MAX:
                    return _Chunk(b"".join(texts), self._positions[index - 1])
                texts.append(text)
                size_bytes += len(text)
        return _Chunk(b"".join(texts), max(place, self.last))

    def _shrink(self) -> None:
        """Let the oldest go when there are too many: a part of all at one time."""
        if len(self._items) <= self._items_max and self._size_bytes <= BYTES_MAX:
            return
        gone, kept_bytes = 0, self._size_bytes
        enough = len(self._items) - self._items_max * 3 // 4
        while gone < len(self._items) and (gone < enough or kept_bytes > BYTES_MAX * 3 // 4):
            kept_bytes -= self._items[gone].size_bytes
            gone += 1
        self.floor = self._positions[gone - 1]
        del self._items[:gone], self._positions[:gone]
        self._size_bytes = kept_bytes

    def _wake(self) -> None:
        """Let each client look for what there is; one that joined since then knows already."""
        self._chunks.clear()
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        if self._clients:
            self._woke_at_s = asyncio.get_running_loop().time()
        for client in self._clients:
            client.wake.set()
