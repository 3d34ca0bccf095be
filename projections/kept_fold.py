"""The fold in a store: written when it is due, as far as it has changed, and taken from there."""

import asyncio
import gc
import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from events.codec import Codec
from events.marks import Mark
from projections.network import Network
from projections.snapshot import HEAD, Restored, beside, head, parts, read_beside, read_head
from projections.store import Snapshot, Store

EVERY = 10_000
"""Events between two snapshots: what a restart folds at most, in a quarter of a second."""
BYTES_PER_EVENT = 2_000
"""More than that a large fold may not cost each event: then it is written less often."""
BYTES_AT_ONCE = 1 << 20
"""Made or read before others get a turn of the loop: some milliseconds."""

log = logging.getLogger(__name__)


class KeptFold:
    """What a store holds of the fold, taken when `mark` had been folded; None if it holds none.

    `states` are those of the read models beside it, by name, as they were restored.
    """

    def __init__(self, store: Store, every: int = EVERY) -> None:
        self.mark: Mark | None = None
        self.states: Mapping[str, bytes] = {}
        self._store = store
        self._every = every
        self._bytes = 0
        self._jobs: dict[str, tuple[int, int]] = {}
        self._taken: dict[str, tuple[int, int]] = {}

    @property
    def position(self) -> int:
        """Where the snapshot in the store was taken, 0 if there is none."""
        return self.mark.position if self.mark is not None else 0

    def is_due(self, position: int) -> bool:
        """Whether a restart would have to fold more than it should."""
        return position - self.position >= max(self._every, self._bytes // BYTES_PER_EVENT)

    # Writing

    async def take(
        self, network: Network, mark: Mark, closed: Iterable[str], states: Mapping[str, bytes]
    ) -> Snapshot:
        """Return what has changed since the last snapshot. The fold must stand still meanwhile.

        `closed` are the closed jobs that the network has still, in the order of their ends, and
        `states` are those of the read models beside it.

        Others get their turn of the loop while a large fold is gone through.
        """
        self._taken = {
            job.id: (job.first, job.seen) for job in network.jobs.values() if not job.closed
        }
        changed = [name for name, stand in self._taken.items() if self._jobs.get(name) != stand]
        ended = [name for name in self._jobs if name not in self._taken]
        # From here on the store may have them, whatever becomes of this snapshot.
        self._jobs |= dict.fromkeys(changed, (0, 0))
        made = [head(network, mark, [*network.retired, *closed])]
        if states:
            made.append(beside(states))
        self._bytes = due = sum(len(part.body) for part in made[1:])
        for name in changed:
            for part in parts(network.jobs[name]):
                made.append(part)
                self._bytes += len(part.body)
                if self._bytes >= due + BYTES_AT_ONCE:
                    due = self._bytes
                    await asyncio.sleep(0)
        return Snapshot(made, [HEAD, *changed, *ended])

    def written(self, mark: Mark) -> None:
        """Note that the snapshot that was taken last is in the store."""
        self.mark, self._jobs = mark, self._taken

    # Reading

    async def restore(self, codec: Codec) -> Network | None:
        """Return the fold as the store has it, None when it has none that can be used."""
        body = await self._store.head()
        if body is None:
            return None
        try:
            with collector_paused():
                return await self._restored(body, codec)
        except (msgspec.MsgspecError, ValueError, LookupError) as error:
            log.warning("the snapshot in %s cannot be used: %s", self._store.path, error)
            return None

    async def _restored(self, body: bytes, codec: Codec) -> Network | None:
        found = read_head(body)
        if found is None:
            log.warning("the snapshot in %s is of another version of Lota", self._store.path)
            return None
        restored = Restored(found)
        size = 0
        async for part in self._store.parts():
            if part.job == HEAD:
                self.states = read_beside(part)
            else:
                restored.take(part)
            size += len(part.body)
            if size >= BYTES_AT_ONCE:
                size = 0
                await asyncio.sleep(0)
        network = restored.network(codec)
        self.mark = found.mark
        self._jobs = {job.id: (job.first, job.seen) for job in network.jobs.values()}
        return network

    async def drop(self) -> None:
        """Let the store forget the fold: it is made anew from the log."""
        await self._store.drop_snapshot()
        self.mark, self.states, self._jobs = None, {}, {}


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the collector from walking, again and again, a fold that only grows and then stays."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        if was_on:
            gc.enable()
