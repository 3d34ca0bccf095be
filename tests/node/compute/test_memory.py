"""A compute node's memory: what `save` returned for is there, whatever happens then."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from events.errors import AnotherLog, DatabaseUnusable
from events.items import Claim
from events.marks import mark_of
from events.memory import MemoryLog
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, ExecutionRow, JobRow
from publishers.port import SmallResult

CLAIM = Claim("bafyclaim", 123, 3)

WRITER = """
import asyncio, sys
from pathlib import Path
from events.items import Claim
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, ExecutionRow, JobRow
from publishers.port import SmallResult

async def write(memory, first):
    for number in range(first, 1_000_000, 4):
        name = f"j-{number}-0"
        result = SmallResult(b"out" * 100, b"", 0)
        row = ExecutionRow.of(name, "j", Claim(name, 1, 0), result, number)
        await memory.save(Batch(executions=[row]))
        print(name, flush=True)

async def main():
    memory = await NodeMemory.open(Path(sys.argv[1]))
    await memory.save(Batch(jobs=[JobRow("j", 1)]))
    await asyncio.gather(*(write(memory, first) for first in range(4)))

asyncio.run(main())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest_asyncio.fixture
async def memory(path: Path) -> AsyncIterator[NodeMemory]:
    opened = await NodeMemory.open(path)
    yield opened
    await opened.close()


def small(number: int, job: str = "j", size: int = 3) -> ExecutionRow:
    result = SmallResult(b"o" * size, b"", 3)
    return ExecutionRow.of(f"{job}-{number}-0", job, CLAIM, result, number)


def folder(number: int, job: str = "j", size: int = 100) -> ExecutionRow:
    claim = Claim("bafyfolder", size, 0)
    return ExecutionRow.of(f"{job}-{number}-0", job, claim, Path("anywhere"), number)


def batch(*rows: ExecutionRow, jobs: tuple[str, ...] = ()) -> Batch:
    return Batch(jobs=[JobRow(job, 1) for job in jobs], executions=list(rows))


async def test_secret_is_made_once(path: Path) -> None:
    """A node keeps its secret, and another node has another."""
    first = await NodeMemory.open(path)
    await first.close()
    again = await NodeMemory.open(path)
    await again.close()
    other = await NodeMemory.open(path.with_name("other.db"))
    await other.close()

    assert len(first.secret) == 32
    assert first.secret == again.secret != other.secret


async def test_open_jobs_are_recalled(path: Path) -> None:
    """A node that starts again knows its open jobs, first met first, and their claims."""
    memory = await NodeMemory.open(path)
    await memory.save(batch(small(1), folder(2), small(1, "k"), jobs=("j",)))
    await memory.save(Batch(jobs=[JobRow("i", 0)]))
    await memory.close()
    memory = await NodeMemory.open(path)
    recalled = await memory.load()
    await memory.close()

    assert recalled.jobs == ["i", "j"]
    assert recalled.executions == {"j-1-0": CLAIM, "j-2-0": Claim("bafyfolder", 100, 0)}


async def test_new_database_is_new_until_confirmed(path: Path) -> None:
    """A node that dies before it has read its jobs from the log reads them next time."""
    found = []
    for confirm in (False, True, True):
        memory = await NodeMemory.open(path)
        found.append((await memory.load()).created)
        if confirm:
            await memory.confirm_recall()
        await memory.close()

    assert found == [True, True, False]


async def test_first_word_counts(memory: NodeMemory) -> None:
    """A repeated save changes nothing: the claim may have been proposed already."""
    await memory.save(batch(small(1), jobs=("j",)))
    await memory.save(batch(folder(1), jobs=("j",)))

    assert (await memory.load()).executions == {"j-1-0": CLAIM}


async def test_results_are_read_by_execution(memory: NodeMemory) -> None:
    """A small result comes back whole, of a folder only that there is one, of others nothing."""
    await memory.save(batch(small(1), folder(2)))

    assert await memory.result("j-1-0") == SmallResult(b"ooo", b"", 3)
    assert await memory.result("j-2-0") == "folder"
    assert await memory.result("j-3-0") is None


async def test_saves_of_one_turn_are_one_commit(memory: NodeMemory, path: Path) -> None:
    """Saves made together reach the file together: another reader sees all of them or none."""
    saving = [
        asyncio.ensure_future(memory.save(batch(small(n), jobs=(f"j{n}",)))) for n in range(800)
    ]
    seen = set()
    with closing(sqlite3.connect(path)) as other:
        while not all(save.done() for save in saving):
            seen.add(other.execute("SELECT count(*) FROM results").fetchone()[0])
            await asyncio.wait(saving, timeout=0)
        seen.add(other.execute("SELECT count(*) FROM results").fetchone()[0])

    assert seen <= {0, 800}
    assert max(seen) == 800


async def test_cancelled_waiter_takes_nothing_along(memory: NodeMemory) -> None:
    """Who stops waiting for a save does not undo it, nor those that share its commit."""
    first = asyncio.ensure_future(memory.save(batch(small(1))))
    second = asyncio.ensure_future(memory.save(batch(small(2))))
    await asyncio.wait((first,), timeout=0)
    first.cancel()
    await second

    assert await memory.result("j-1-0") is not None
    assert await memory.result("j-2-0") is not None


async def test_failed_commit_is_told_to_all(memory: NodeMemory, path: Path) -> None:
    """When the file cannot be written, each of those who share the commit learns it."""
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE results")
    saves = [memory.save(batch(small(n), jobs=("j",))) for n in range(3)]
    errors = await asyncio.gather(*saves, return_exceptions=True)

    assert [type(error) for error in errors] == [DatabaseUnusable] * 3
    assert (await memory._all("SELECT count(*) FROM jobs")) == [(0,)]


async def test_closed_job_leaves_its_results(memory: NodeMemory) -> None:
    """A job that is forgotten is not recalled, and its results can still be fetched."""
    await memory.save(batch(small(1), small(2, "k"), jobs=("j", "k")))
    memory.forget("j")
    await memory.save(batch())
    recalled = await memory.load()

    assert recalled.jobs == ["k"]
    assert set(recalled.executions) == {"k-2-0"}
    assert await memory.result("j-1-0") is not None


async def test_forgetting_comes_after_what_was_saved(memory: NodeMemory) -> None:
    """A job that is met and forgotten in one turn is forgotten."""
    memory.forget("j")
    await memory.save(batch(jobs=("j",)))

    assert (await memory.load()).jobs == []


async def test_what_is_forgotten_last_is_forgotten(tmp_path: Path) -> None:
    """Closing the file writes what no commit came for."""
    memory = await NodeMemory.open(tmp_path / "m.db")
    await memory.save(batch(jobs=("j",)))
    memory.forget("j")
    await memory.close()

    again = await NodeMemory.open(tmp_path / "m.db")
    assert (await again.load()).jobs == []
    await again.close()


async def test_old_results_expire(memory: NodeMemory) -> None:
    """Results from before a time go; those of open jobs stay however old they are."""
    await memory.save(batch(small(1), small(9), small(2, "open"), jobs=("open",)))
    folders = await memory.expire(older_than_ms=5, bytes_max=1 << 40)
    left = [name for name in ("j-1-0", "j-9-0", "open-2-0") if await memory.result(name)]

    assert folders == []
    assert left == ["j-9-0", "open-2-0"]


async def test_oldest_results_make_room(memory: NodeMemory) -> None:
    """Above the limit the oldest go, and no more of them than needed."""
    await memory.save(batch(*(small(n, size=10) for n in range(6))))
    await memory.expire(older_than_ms=0, bytes_max=25)
    left = [n for n in range(6) if await memory.result(f"j-{n}-0")]

    assert left == [4, 5]


async def test_folders_expire_once_removed(memory: NodeMemory) -> None:
    """A folder is named until its removal was told, so that a crash between leaves none behind."""
    await memory.save(batch(folder(1), folder(8)))
    named = [await memory.expire(5, 1 << 40), await memory.expire(5, 1 << 40)]
    await memory.removed(named[0])
    named.append(await memory.expire(5, 1 << 40))

    assert named == [["j-1-0"], ["j-1-0"], []]
    assert await memory.result("j-8-0") == "folder"


async def test_many_results_expire_at_once(memory: NodeMemory) -> None:
    """However many results are too old, one call reaches the folders behind them."""
    await memory.save(batch(*(small(n) for n in range(2500)), folder(2600)))

    assert await memory.expire(5000, 1 << 40) == ["j-2600-0"]
    assert await memory.result("j-2499-0") is None


async def test_close_waits_for_what_was_saved(path: Path) -> None:
    """A save that is under way when the memory is closed is still kept."""
    memory = await NodeMemory.open(path)
    saving = asyncio.ensure_future(memory.save(batch(small(1))))
    await asyncio.wait((saving,), timeout=0)
    await memory.close()
    await saving
    memory = await NodeMemory.open(path)
    result = await memory.result("j-1-0")
    await memory.close()

    assert result is not None


async def test_killed_writer_has_kept_its_word(path: Path) -> None:
    """After kill -9, every execution that `save` returned for is there."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    told = [(await writer.stdout.readline()).decode().strip() for _ in range(200)]
    writer.kill()
    told += [line for line in (await writer.stdout.read()).decode().split("\n")[:-1] if line]
    await writer.wait()
    memory = await NodeMemory.open(path)
    recalled = await memory.load()
    await memory.close()

    assert recalled.jobs == ["j"]
    assert len(told) >= 200
    assert {name: recalled.executions.get(name) for name in told} == {
        name: Claim(name, 1, 0) for name in told
    }


async def test_memory_of_the_version_before_is_taken_over(path: Path) -> None:
    """A file that knows no marks of the log keeps its rows and its secret, and fits any log."""
    memory = await NodeMemory.open(path)
    await memory.save(batch(small(1), jobs=("j",)))
    await memory.close()
    with closing(sqlite3.connect(path)) as other:
        other.executescript("DROP TABLE marks; PRAGMA user_version=1")
    again = await NodeMemory.open(path)
    await again.require(MemoryLog())
    recalled = await again.load()
    await again.close()

    assert again.secret == memory.secret
    assert (recalled.jobs, set(recalled.executions)) == (["j"], {"j-1-0"})


async def test_memory_belongs_to_its_log(path: Path) -> None:
    """What was made with one log is refused with another, by the folder that would have to go."""
    log, other = MemoryLog(), MemoryLog()
    log.append_now("lota.ev.a", b"1", id="1")
    other.append_now("lota.ev.a", b"2", id="1")
    memory = await NodeMemory.open(path)
    await memory.note(mark_of(log.records()[0]))
    await memory.close()
    memory = await NodeMemory.open(path)
    await memory.require(log)
    with pytest.raises(AnotherLog) as refused:
        await memory.require(other)
    await memory.close()

    assert str(path) in refused.value.what
    assert f"move {path.parent} away" in refused.value.hint


async def test_an_old_mark_stands_for_a_lost_one(path: Path) -> None:
    """A log that lost what was noted last and has what was noted first is still the node's own."""
    log = MemoryLog()
    for number in range(3):
        log.append_now("lota.ev.a", b"%d" % number, id=f"{number}")
    shorter = MemoryLog()
    shorter.append_now("lota.ev.a", b"0", id="0")
    memory = await NodeMemory.open(path)
    for record in log.records():
        await memory.note(mark_of(record))
    await memory.close()
    memory = await NodeMemory.open(path)
    await memory.require(shorter)
    await memory.close()
