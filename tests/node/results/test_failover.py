"""One copy made of many: who is asked, in which order, and who is believed."""

import asyncio
from collections.abc import Callable

import pytest

from events.cid import node_cid_bytes, raw_cid_bytes
from events.errors import NotFound, PublishError
from node.results.block_cache import BlockCache
from node.results.failover import FailoverCopy, Holder, Standing

DATA = b"the right bytes"
CID = raw_cid_bytes(DATA)


class FakeCopy:
    """A copy that gives what it is made with, or raises it; it waits for `go` first."""

    def __init__(self, gives: bytes | Exception) -> None:
        self.asked = 0
        self.closed = False
        self.go = asyncio.Event()
        self.go.set()
        self._gives = gives

    async def node(self, cid: bytes) -> bytes:
        self.asked += 1
        await self.go.wait()
        if isinstance(self._gives, Exception):
            raise self._gives
        return self._gives

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        return await self.node(cid)

    async def close(self) -> None:
        self.closed = True


class Copies:
    """Several copies as one, and what was warned of."""

    def __init__(self, *copies: FakeCopy, head_start_s: float = 60.0) -> None:
        self.warnings: list[str] = []
        self.standing = Standing()
        holders = [Holder(f"copy-{n}", f"copy-{n}", self._open(c)) for n, c in enumerate(copies)]
        self.all = FailoverCopy(
            "shard 0",
            holders,
            standing=self.standing,
            cache=BlockCache(),
            warn=self.warnings.append,
            head_start_s=head_start_s,
        )

    async def read(self) -> bytes:
        return await self.all.leaf(CID, "stdout", 0, len(DATA))

    def _open(self, copy: FakeCopy) -> Callable[[], "asyncio.Future[FakeCopy]"]:
        def opened() -> "asyncio.Future[FakeCopy]":
            future: asyncio.Future[FakeCopy] = asyncio.get_running_loop().create_future()
            future.set_result(copy)
            return future

        return opened


async def test_the_first_that_is_right_is_enough() -> None:
    """While the nearest copy answers, no other is bothered."""
    near, far = FakeCopy(DATA), FakeCopy(DATA)
    copies = Copies(near, far)
    assert await copies.read() == DATA
    assert (near.asked, far.asked, copies.warnings) == (1, 0, [])


async def test_wrong_bytes_are_passed_over_aloud() -> None:
    """A copy with wrong bytes is named once, asked last from then on, and never believed."""
    wrong, right = FakeCopy(b"lies"), FakeCopy(DATA)
    copies = Copies(wrong, right)
    assert [await copies.read(), await copies.read()] == [DATA, DATA]
    (warning,) = copies.warnings
    assert "copy-0 has wrong bytes in 'stdout' of shard 0" in warning
    assert (wrong.asked, right.asked) == (1, 2)


async def test_who_has_failed_is_asked_last() -> None:
    """A copy that is out of reach costs its time once, not for every block."""
    away, here = FakeCopy(PublishError("timeout", "nobody there")), FakeCopy(DATA)
    copies = Copies(away, here)
    assert [await copies.read(), await copies.read()] == [DATA, DATA]
    assert (away.asked, copies.warnings) == (1, [])


async def test_what_one_result_lacks_others_may_have() -> None:
    """Missing bytes are no word on the node or service as a whole, and a reach that fails is."""
    lacking, away = FakeCopy(NotFound("not here")), FakeCopy(RuntimeError("a bug of its driver"))
    copies = Copies(lacking, away, FakeCopy(DATA))
    assert await copies.read() == DATA
    assert copies.standing.failures == {"copy-1": 1}


async def test_a_slow_one_is_overtaken() -> None:
    """A copy that takes longer than its head start does not hold up the next."""
    slow, quick = FakeCopy(DATA), FakeCopy(DATA)
    slow.go.clear()
    copies = Copies(slow, quick, head_start_s=0.01)
    assert await copies.read() == DATA
    assert copies.standing.failures["copy-0"] == 1


async def test_a_slow_one_may_still_win() -> None:
    """When the others fail, the one that was slow is waited for."""
    slow, broken = FakeCopy(DATA), FakeCopy(NotFound("not here"))
    slow.go.clear()
    copies = Copies(slow, broken, head_start_s=0.01)
    reading = asyncio.ensure_future(copies.read())
    while not broken.asked:
        await asyncio.wait((reading,), timeout=0.01)
    slow.go.set()
    assert await reading == DATA


async def test_all_that_was_tried_is_told() -> None:
    """When nobody gives a block, the error says what each has answered."""
    copies = Copies(FakeCopy(NotFound("it is gone")), FakeCopy(OSError(5, "bad disk")))
    with pytest.raises(PublishError, match="copy-0: it is gone; copy-1: bad disk"):
        await copies.read()


async def test_a_block_is_read_once() -> None:
    """Blocks of folders are kept, so that a thousand files of one cost one read of it."""
    block = b"\x0a\x02\x08\x01"
    copy = FakeCopy(block)
    copies = Copies(copy)
    cid = node_cid_bytes(block)
    assert [await copies.all.node(cid), await copies.all.node(cid)] == [block, block]
    assert copy.asked == 1


async def test_what_was_opened_is_closed() -> None:
    """Closing lets go of the copies that were used, and may be repeated."""
    copy, unused = FakeCopy(DATA), FakeCopy(DATA)
    copies = Copies(copy, unused)
    await copies.read()
    await copies.all.close()
    await copies.all.close()
    assert (copy.closed, unused.closed) == (True, False)
