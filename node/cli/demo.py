"""`lota demo`: a real job on real data, from end to end, on a throw-away network."""

import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from events.client.gateway import prepare, submit
from events.clock import now_ms
from events.entry import Entry
from events.errors import JobFailed
from events.ids import new_id, new_job_id
from events.inputs.file_uri import to_uri
from events.jetstream import open_blobs
from events.spec import Deal, Input, JobSpec, PublisherSpec, Sharding
from node.cli.describe import show_job
from node.cli.following import follow_job
from node.cli.progress import JobProgress
from node.cli.server import CLIENT_NAME, Connection, Server, connected
from node.config import default_publish_root
from node.demo import census
from node.demo.report import show_totals, sum_published
from node.demo.sources import gather
from node.local import LocalConfig, LocalNetwork
from projections.nodes import Nodes
from projections.state import TERMINAL, Job
from projections.timeline import Timeline
from projections.views import job_view

NODES, SHARDS, REPLICAS = 3, 12, 2


async def demo() -> None:
    """Count the Python standard library's own source files as a verified, published job.

    Three nodes run twelve shards, each twice; what two nodes agree on bit by bit is published by
    one of them, and the published shards are summed where they are.

    Example: lota demo
    """
    console = Console()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lota-demo-") as folder:
        data = Path(folder, "stdlib")
        files = gather(data)
        console.print(f"{files:,} source files of the standard library, {SHARDS} shards")
        script = Path(census.__file__)
        config = LocalConfig(
            folder=Path(folder, "network"),
            publish_root=default_publish_root(),
            nodes=NODES,
            engines=("process",),
            allow_paths=(str(data), str(script)),
        )
        async with LocalNetwork(config) as network, connected(Server(network.url)) as connection:
            console.print(f"{NODES} nodes and {network.server.binary}\n")
            job, entries = await _run(connection, _spec(data, script))
    if job.state != "completed":
        raise JobFailed(f"the demo's job {job.state}: {job.reason}")
    timeline = Timeline()
    for entry in entries:
        timeline.note(entry)
    show_job(job_view(job, Nodes(), timeline, now_ms=now_ms()), now_ms())
    show_totals(console, sum_published(job), time.monotonic() - began)


def _spec(data: Path, script: Path) -> JobSpec:
    return JobSpec(
        engine="process",
        name="census",
        command=(sys.executable, "-I", "inputs/census.py"),
        inputs=(
            Input(source=to_uri(str(data)), dest="stdlib"),
            Input(source=to_uri(str(script)), dest="census.py", context=True),
        ),
        sharding=Sharding(glob="**/*.py", count=SHARDS),
        deal=Deal(replicas=REPLICAS),
        publishers=(PublisherSpec(driver="local"),),
        timeout="5m",
    )


async def _run(connection: Connection, spec: JobSpec) -> tuple[Job, list[Entry]]:
    submission = await prepare(spec)
    job = new_job_id()
    blobs = await open_blobs(connection.client)
    await submit(
        connection.log,
        blobs,
        submission,
        job=job,
        author=CLIENT_NAME,
        new_id=new_id,
        now_ms=now_ms,
    )
    entries: list[Entry] = []
    with JobProgress() as progress:
        async for state, more in follow_job(connection.log, job):
            entries += more
            progress.show(state)
            if state.state in TERMINAL:
                return state, entries
    raise JobFailed("the log ended before the job did")
