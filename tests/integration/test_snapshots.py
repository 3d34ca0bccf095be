"""A requester that stops and starts on a real server: open jobs go on from its snapshot."""

import sqlite3
from contextlib import closing
from pathlib import Path

from events.spec import Deal, JobSpec
from tests.integration.small_network import SmallNetwork


def jobs_kept(folder: Path) -> set[str]:
    """Return the jobs in the requester's snapshot; the head is of none."""
    with closing(sqlite3.connect(folder / "nodes" / "requester" / "projections.db")) as database:
        return {job for (job,) in database.execute("SELECT job FROM snapshot") if job}


async def test_an_open_job_goes_on_from_the_snapshot(tmp_path: Path) -> None:
    """A job that waits for nodes is in the snapshot of a stop, and ends after the next start."""
    async with SmallNetwork(tmp_path) as network:
        job = await network.watch.submit(
            JobSpec(engine="noop", deal=Deal(replicas=2), verifier="deterministic")
        )
        await network.watch.until(lambda: network.watch.items[job, "job.planned"] > 0)
        await network.stop("requester")
        waiting = jobs_kept(tmp_path)
        await network.start("requester", "requester")
        await network.start("c1")
        await network.start("c2")
        ended = await network.watch.closed(job)
        for _ in range(2):  # it starts when it has folded all that there was: the job's end too
            await network.stop("requester")
            await network.start("requester", "requester")
        await network.stop("requester")
        after = jobs_kept(tmp_path)

    assert ended.state == "completed"
    assert waiting == {job}
    assert after == set()
