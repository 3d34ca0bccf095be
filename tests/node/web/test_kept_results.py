"""What a file of a job keeps of its results when they cannot be had: the reasons."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client

from events.errors import NodeSilent
from node.redaction import hide
from node.results.job_results import JobResults
from node.web.kept_results import ResultAccess, kept_results
from projections.job_fold import JobFold
from projections.network import Network
from projections.nodes import Nodes
from projections.state import Job
from tests.projections.story import last_job, story


def job() -> Job:
    """Return a job whose shards some nodes have run."""
    records = story(1055)
    fold = JobFold(last_job(records), Network())
    for record in records:
        fold.fold(record)
    assert fold.job is not None
    return fold.job


@asynccontextmanager
async def silent(*_: Any) -> AsyncIterator[JobResults]:
    """Stand for nodes of which none ever answers."""
    await asyncio.Event().wait()
    raise AssertionError
    yield


@asynccontextmanager
async def refused(*_: Any) -> AsyncIterator[JobResults]:
    """Stand for a reader that cannot begin."""
    raise NodeSilent("the token s3cr3t-of-a-reader cannot be read")
    yield


async def test_what_cannot_be_had_has_its_reason() -> None:
    """Each shard that was run says why there is nothing of it, and no reason tells a secret."""
    hide("s3cr3t-of-a-reader")
    ran = {index for index, shard in enumerate(job().shards) if shard.executions}
    for access, why in (
        (None, "the file was made from a log, without its network"),
        (ResultAccess(Client(), silent), "it had not come when the file was made, after 0.01 s"),
        (ResultAccess(Client(), refused), "the token *** cannot be read"),
    ):
        kept = await kept_results(access, job(), Nodes(), read_s=0.01)
        assert {index: one.why for index, one in kept.items()} == dict.fromkeys(ran, why)
