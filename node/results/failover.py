"""One copy made of many: each block from the first holder that gives the right bytes.

Holders are asked in their order, the next one when one has failed or is slow; who answers first
with a block that has its CID is believed, and the rest are let go. A holder that is out of reach is
asked later from then on, also for other shards, since it is mostly a whole node or service that is
away. One with wrong or missing bytes comes last for this result: one file of a disk may be damaged,
and the others are right. A warning names it when the bytes are wrong, or were promised by the log.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from events.cid import cid_text, matches
from events.errors import LotaError, NotFound, PublishError
from node.results.block_cache import BlockCache
from publishers.port import Copy

HEAD_START_S = 3.0
"""How long the holders before have a block to themselves."""

_HASHED_HERE_BYTES = 64 * 1024

Ask = Callable[[Copy], Awaitable[bytes]]
Warn = Callable[[str], None]


class Holder(NamedTuple):
    """Who may hold a result; `service` is what fails as one, also for other results.

    `promised` says that the log has it there: then it is worth a warning when it is not.
    """

    name: str
    service: str
    open: Callable[[], Awaitable[Copy]]
    promised: bool = False


class Standing:
    """How often each service has failed, for all that one command reads."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter()


class FailoverCopy:
    """Reads one result from whichever of its holders answers; closes those that it opened."""

    def __init__(
        self,
        what: str,
        holders: Sequence[Holder],
        *,
        standing: Standing,
        cache: BlockCache,
        warn: Warn,
        head_start_s: float = HEAD_START_S,
    ) -> None:
        self._what = what
        self._holders = holders
        self._standing = standing
        self._cache = cache
        self._warn = warn
        self._head_start_s = head_start_s
        self._opened: dict[int, asyncio.Future[Copy]] = {}
        self._damaged: set[int] = set()

    async def node(self, cid: bytes) -> bytes:
        block = self._cache.get(cid)
        if block is None:
            block = await self._first(cid, "a folder", lambda copy: copy.node(cid))
            self._cache.put(cid, block)
        return block

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        return await self._first(
            cid, repr(path), lambda copy: copy.leaf(cid, path, offset, size_bytes)
        )

    async def close(self) -> None:
        opened, self._opened = self._opened, {}
        for opening in opened.values():
            opening.cancel()
        for copy in await asyncio.gather(*opened.values(), return_exceptions=True):
            if not isinstance(copy, BaseException):
                await copy.close()

    async def _first(self, cid: bytes, part: str, ask: Ask) -> bytes:
        """Return the block from the first holder that has it. Raises `PublishError` if none has."""
        waiting = self._order()
        asked: dict[asyncio.Task[bytes], int] = {}
        said: list[str] = []
        try:
            while waiting or asked:
                if waiting:
                    number = waiting.pop(0)
                    asked[asyncio.ensure_future(self._ask(number, ask))] = number
                data = await self._next(asked, cid, part, said, hurry=bool(waiting))
                if data is not None:
                    return data
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        raise PublishError(
            "no-copy",
            f"no copy of {self._what} gives {part}: {'; '.join(said) or 'nobody has one'}",
            hint="lota job describe shows where it should be",
        )

    def _order(self) -> list[int]:
        failures = self._standing.failures
        return sorted(
            range(len(self._holders)),
            key=lambda n: (n in self._damaged, failures[self._holders[n].service], n),
        )

    async def _next(
        self,
        asked: dict["asyncio.Task[bytes]", int],
        cid: bytes,
        part: str,
        said: list[str],
        *,
        hurry: bool,
    ) -> bytes | None:
        """Return the right block as soon as there is one, None when another holder is to be asked.

        What has failed is taken out of `asked`, and why is added to `said`.
        """
        while asked:
            limit_s = self._head_start_s if hurry else None
            done, _ = await asyncio.wait(
                asked, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED
            )
            for number in asked.values() if not done else ():
                self._standing.failures[self._holders[number].service] += 1
            for task in done:
                number = asked.pop(task)
                data = await self._judged(number, task, cid, part, said)
                if data is not None:
                    return data
            if hurry:
                return None
        return None

    async def _judged(
        self, number: int, task: "asyncio.Task[bytes]", cid: bytes, part: str, said: list[str]
    ) -> bytes | None:
        holder = self._holders[number]
        try:
            data = task.result()
        except LotaError as error:
            said.append(f"{holder.name}: {error.what}")
            if _is_damage(error):
                why = f"has not all of {self._what} ({error.what})"
                self._pass_over(number, why, aloud=holder.promised)
            else:
                self._standing.failures[holder.service] += 1
        except Exception as error:  # noqa: BLE001 - one holder's trouble must not stop the others
            reason = error.strerror if isinstance(error, OSError) else None
            said.append(f"{holder.name}: {reason or type(error).__name__}")
            self._standing.failures[holder.service] += 1
        else:
            if await _has_cid(data, cid):
                return data
            said.append(f"{holder.name}: wrong bytes")
            why = f"has wrong bytes in {part} of {self._what} (not {cid_text(cid)})"
            self._pass_over(number, why, aloud=True)
        return None

    def _pass_over(self, number: int, why: str, *, aloud: bool) -> None:
        """Ask a holder last for this result; of others it may have more."""
        if number not in self._damaged:
            self._damaged.add(number)
            if aloud:
                self._warn(f"{self._holders[number].name} {why}; it is passed over")

    async def _ask(self, number: int, ask: Ask) -> bytes:
        """Ask one holder, which is opened once; one that could not be opened stays so."""
        opening = self._opened.get(number)
        if opening is None:
            opening = asyncio.ensure_future(self._holders[number].open())
            self._opened[number] = opening
        return await ask(await asyncio.shield(opening))


def _is_damage(error: LotaError) -> bool:
    """Whether a holder was reached and lacks what it should have."""
    return isinstance(error, NotFound) or (
        isinstance(error, PublishError) and error.code in ("missing", "tampered")
    )


async def _has_cid(data: bytes, cid: bytes) -> bool:
    if len(data) <= _HASHED_HERE_BYTES:
        return matches(cid, data)
    return await asyncio.to_thread(matches, cid, data)
