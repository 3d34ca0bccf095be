"""What is left of results that nobody can ask for any more."""

import os
from pathlib import Path

from events.cid import raw_cid
from events.items import Claim
from node.compute.memory import NodeMemory
from node.compute.memory_rows import Batch, ExecutionRow
from node.compute.retention import clear_strays

OLD_S = 1_000
THEN_MS = OLD_S * 1_000 + 1


async def test_old_results_that_nothing_names_are_removed(tmp_path: Path) -> None:
    """What a crash or a lost database left is not kept for ever; what is known or new stays."""
    results = tmp_path / "results"
    memory = await NodeMemory.open(tmp_path / "memory.db")
    await clear_strays(memory, results, THEN_MS)
    for name in ("known-0-0", "lost-0-0", "new-0-0"):
        (results / name / "result").mkdir(parents=True)
    for name in ("known-0-0", "lost-0-0"):
        os.utime(results / name, (OLD_S, OLD_S))
    claim = Claim(raw_cid(b"x"), 1, 0)
    row = ExecutionRow.of("known-0-0", "known", claim, results / "known-0-0" / "result", 1)
    await memory.save(Batch(executions=[row]))
    await clear_strays(memory, results, THEN_MS)
    await memory.close()

    assert sorted(os.listdir(results)) == ["known-0-0", "new-0-0"]


async def test_what_is_no_result_of_an_execution_stays(tmp_path: Path) -> None:
    """`lost+found`, a file of somebody and a link to nowhere are not the node's to remove."""
    results = tmp_path / "results"
    (results / "lost+found").mkdir(parents=True)
    (results / "file-0-0").write_bytes(b"")
    (results / "link-0-0").symlink_to(tmp_path / "nowhere")
    os.utime(results / "lost+found", (OLD_S, OLD_S))
    os.utime(results / "file-0-0", (OLD_S, OLD_S))
    os.utime(results / "link-0-0", (OLD_S, OLD_S), follow_symlinks=False)
    memory = await NodeMemory.open(tmp_path / "memory.db")
    await clear_strays(memory, results, THEN_MS)
    await memory.close()

    assert sorted(os.listdir(results)) == ["file-0-0", "link-0-0", "lost+found"]
