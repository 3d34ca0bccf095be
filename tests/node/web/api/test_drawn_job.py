"""What a job's page is drawn from is a part of what the API says of the job, at any position."""

from pathlib import Path

import pytest

from node.web.api.asking import JobPath
from node.web.api.drawn_job import DrawnQuery, read_drawn_job
from node.web.api.shared import Api
from projections.job_fold import JobFold
from projections.lanes import lanes_view
from projections.network import Network
from projections.views import job_view
from tests.node.observer.watched import observing
from tests.projections.story import last_job, log_of, story

SEED = 1055


async def test_it_is_the_job_with_one_of_its_shards(tmp_path: Path) -> None:
    """All states are there, and one shard whole; where time went is as the fold has it."""
    records = story(SEED)
    name = last_job(records)
    async with observing(log_of(records), tmp_path) as observer:
        for position in range(records[-1].position, 0, -40):
            fold = JobFold(name, Network())
            for record in records[:position]:
                fold.fold(record)
            if fold.job is None:
                break
            now_ms = fold.travel.tally.time_ms
            whole = job_view(fold.job, fold.travel.network.nodes, fold.timeline, now_ms=now_ms)
            shards = whole.pop("shards")
            query = DrawnQuery(as_of=str(position), shard=len(shards) - 1 if shards else 0)
            drawn = await read_drawn_job(Api(observer), JobPath(id=name), query)
            assert drawn["shards"] == [shard["state"] for shard in shards]
            assert drawn["shard"] == (shards[-1] if shards else None)
            assert drawn["lanes"] == lanes_view(fold.job, fold.lanes, now_ms=now_ms)
            assert drawn.items() >= {**whole, "position": position}.items()


@pytest.mark.parametrize("shard", [1000, 99_999])
async def test_a_shard_that_is_not_there_is_none(shard: int, tmp_path: Path) -> None:
    """An address of another job's shard shows the job without one."""
    records = story(SEED)
    name = last_job(records)
    async with observing(log_of(records), tmp_path) as observer:
        drawn = await read_drawn_job(Api(observer), JobPath(id=name), DrawnQuery(shard=shard))
    assert drawn["shard"] is None


async def test_it_tells_where_the_jobs_own_events_are(tmp_path: Path) -> None:
    """From the first to the last there is now, also where an earlier moment is shown."""
    records = story(SEED)
    name = last_job(records)
    own = [record.position for record in records if record.subject.split(".")[3] == name]
    async with observing(log_of(records), tmp_path) as observer:
        query = DrawnQuery(as_of=str(own[1]))
        drawn = await read_drawn_job(Api(observer), JobPath(id=name), query)
    assert (drawn["first"], drawn["last"]) == (own[0], own[-1])
