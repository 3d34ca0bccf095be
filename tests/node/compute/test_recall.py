"""A node that starts where others are at work: what it takes up, and what comes meanwhile."""

import asyncio
from pathlib import Path

from events.items import Capabilities
from events.memory import MemoryBlobs, MemoryLog
from events.spec import JobSpec
from events.subjects import own_facts
from node.compute.memory import NodeMemory
from node.compute.runs import Runs
from node.compute.service import Compute
from node.compute.uploads import Uploads
from node.compute.work import Work
from node.credentials import Credentials
from node.executors.noop import NoopExecutor
from node.inputs.relist import Relisting
from node.orders import OfferOrder, Orders
from node.policy import Policy
from publishers.port import Workplace

CAN = Capabilities(
    roles=("compute",), engines=("noop",), cpu=4, memory_bytes=1 << 34, disk_bytes=1 << 34, width=4
)


def compute_of(log: MemoryLog, memory: NodeMemory, folder: Path) -> Compute:
    blobs = MemoryBlobs()
    runs = Runs({"noop": NoopExecutor()}, {}, blobs, results=folder / "r", inputs=folder / "i")
    workplace = Workplace(folder / "publishing")
    return Compute(
        "c1",
        CAN,
        log=log,
        memory=memory,
        work=Work(runs, cpu=4),
        uploads=Uploads(folder / "out", (), workplace, Credentials(), limit_s=1),
        blobs=blobs,
        relisting=Relisting({}, blobs),
        policy=Policy(),
        throw_away=True,
    )


async def test_a_job_that_is_offered_during_a_start_is_remembered(tmp_path: Path) -> None:
    """Before a node bids for a job it has noted it, also when the offer came as it recalled."""
    log = MemoryLog()
    memory = await NodeMemory.open(tmp_path / "memory.db")
    await memory.confirm_recall()
    compute = compute_of(log, memory, tmp_path)
    offered = Orders(
        job="j",
        fence=1,
        decision="d",
        spec=JobSpec(engine="noop", verifier="none"),
        offers=(OfferOrder(0),),
    )
    compute.take(offered)
    await compute.recall()
    running = asyncio.ensure_future(compute.run())
    async for _ in log.follow((own_facts("c1", "bids.placed"),)):
        break
    recalled = await memory.load()
    running.cancel()
    await asyncio.wait((running,))
    await memory.close()

    assert recalled.jobs == ["j"]
