"""A process that publishes is killed at each of its steps; what it leaves is nothing or whole.

What is paid is tried at the level of its driver: see tests/publishers.
"""

import os
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from publishers.kept_skeletons import KEPT_FROM_BYTES
from publishers.port import SmallResult
from publishers.unixfs import tree_cid
from tests.contracts.crasher import Crasher
from tests.contracts.places import SERVED, Place
from tests.tcp_proxy import TcpProxy


@pytest.fixture
async def crasher(place: Place) -> AsyncIterator[Crasher]:
    async with Crasher(place) as crasher:
        yield crasher


def result_of_its_own(folder: Path, step: int) -> tuple[Path, str]:
    """Make a result like the others of the test, with another CID."""
    result = folder / str(step)
    SmallResult(b"%d" % step, b"", 0).write_to(result)
    (result / "outputs" / "folder").mkdir()
    (result / "outputs" / "folder" / "file").write_bytes(b"x")
    return result, tree_cid(result).cid


async def check_mended(place: Place, crasher: Crasher, result: Path, key: str, cid: str) -> None:
    """Hold what a crash has left to what is promised, and then what a repeat makes of it."""
    assert await place.seen_cid(key, cid) in {None, cid}
    assert await crasher.publish(result, key, cid, port=place.port)
    assert await place.seen_cid(key, cid) == cid
    assert await place.leftovers() == []


@pytest.mark.parametrize("place", ["local"], indirect=True)
async def test_a_crash_at_any_step_is_mended_by_a_repeat(
    place: Place, crasher: Crasher, tmp_path: Path
) -> None:
    """Killed at each of its steps, a publication is absent or whole, and a repeat completes it."""
    for step in count():
        result, _ = result_of_its_own(tmp_path, step)
        # So large that a skeleton is kept beside it.
        (result / "outputs" / "sparse").touch()
        os.truncate(result / "outputs" / "sparse", 2 * KEPT_FROM_BYTES)
        cid, key = tree_cid(result).cid, f"job/{step}"
        through = await crasher.publish(result, key, cid, port=None, step=step)
        await check_mended(place, crasher, result, key, cid)
        if through:
            assert step > 20
            return


@pytest.mark.parametrize("place", SERVED, indirect=True)
async def test_a_crash_at_any_message_is_mended_by_a_repeat(
    place: Place, crasher: Crasher, tmp_path: Path
) -> None:
    """Killed at each message to or from its service, a publication is absent or whole, too."""
    async with TcpProxy(place.port or 0) as proxy:
        for step in count():
            result, cid = result_of_its_own(tmp_path, step)
            key = f"job/{step}"
            proxy.break_at(step, crasher.kill)
            through = await crasher.publish(result, key, cid, port=proxy.port)
            await check_mended(place, crasher, result, key, cid)
            if through:
                assert step > 4
                return
