"""What a whole network does with jobs: the real log, nodes and engines, in one process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event

import pytest

from events.clock import now_ms
from events.commitment import execution_id
from events.errors import ExecutorError
from events.ids import new_id
from events.inputs.file_uri import to_path
from events.spec import Deal, Input, JobSpec, PublisherSpec, Resources, Sharding
from events.subjects import partition
from node.executors.port import Outcome, Task
from node.rpc import list_result, stream_result
from projections.state import Job
from projections.waiting import why_waiting
from publishers.unixfs import tree_cid
from tests.contracts.executor_drivers import Lifeline
from tests.integration.node_processes import Nodes
from tests.integration.rules import QUICK
from tests.integration.small_network import FakeEngine, SmallNetwork
from tests.integration.watch import claim_of


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[SmallNetwork]:
    """A server and a requester."""
    async with SmallNetwork(tmp_path) as network:
        yield network


def shell(text: str, **fields: object) -> JobSpec:
    """Return a job that runs a shell script; `fields` are those of the spec."""
    given: dict[str, object] = {"timeout": "30s", **fields}
    return JobSpec(engine="process", command=("sh", "-c", text), **given)  # type: ignore[arg-type]


def states(job: Job, shard: int = 0) -> dict[str, str]:
    """Return the state of a shard's executions by node; the last one of a node counts."""
    return {execution.node: execution.state for execution in job.shards[shard].executions}


async def lie(task: Task) -> Outcome:
    """Say something else than the command did."""
    return Outcome(0, b"5\n")


async def break_down(task: Task) -> Outcome:
    """Fail as a machine does that has no process left."""
    raise ExecutorError("spawn", "no process could be started")


async def test_a_liar_is_outvoted(network: SmallNetwork) -> None:
    """Of three answers the two that are equal bit by bit are accepted, and the third rejected."""
    await network.start("honest-1")
    await network.start("honest-2")
    await network.start("liar", drivers={"process": FakeEngine("process", lie)})
    job = await network.watch.closed(
        await network.watch.submit(
            shell(
                "echo 4",
                deal=Deal(replicas=3, confidence=2),
                publishers=(PublisherSpec(driver="local"),),
            )
        )
    )
    assert job.state == "completed"
    assert states(job) == {"honest-1": "accepted", "honest-2": "accepted", "liar": "rejected"}
    (copy,) = job.shards[0].slots[0].copies
    assert (Path(to_path(copy.uri)) / "stdout").read_bytes() == b"4\n"
    nodes = network.watch.network.nodes.members
    assert {name: nodes[name].differed for name in ("honest-1", "liar")} == {
        "honest-1": 0,
        "liar": 1,
    }


async def test_a_commitment_that_is_never_opened_does_not_count(network: SmallNetwork) -> None:
    """A node that commits and then withholds its claim is rejected, and the others carry on."""
    gate = asyncio.Event()

    async def behind_the_gate(task: Task) -> Outcome:
        await gate.wait()
        return Outcome(0, b"4\n")

    for name in ("c1", "c2"):
        await network.start(name, drivers={"process": FakeEngine("process", behind_the_gate)})
    watch = network.watch
    nodes = Nodes(network.folder, network.server.url)
    async with nodes.start_by(QUICK, "silent") as silent:
        name = await watch.submit(shell("echo 4", deal=Deal(replicas=3, confidence=2)))
        await watch.until_items(name, "results.proposed")
        await silent.kill()
    gate.set()
    job = await watch.closed(name)
    assert job.state == "completed"
    assert states(job) == {"c1": "accepted", "c2": "accepted", "silent": "rejected"}
    assert watch.items[name, "results.revealed"] == 2
    (withheld,) = [one for one in job.shards[0].executions if one.node == "silent"]
    assert "withheld" in withheld.reason


async def test_foreign_messages_are_counted_and_skipped(network: SmallNetwork) -> None:
    """Whatever else is on the log, also in a job's own place, no node falls over it."""
    watch = network.watch
    gate = asyncio.Event()

    async def behind_the_gate(task: Task) -> Outcome:
        await gate.wait()
        return Outcome(0)

    await network.start("c1", drivers={"process": FakeEngine("process", behind_the_gate)})
    name = await watch.submit(shell("true"))
    await watch.until_items(name, "shards.awarded")
    place = f"lota.ev.{partition(name)}.{name}"
    for subject, body in (
        (f"{place}.c.c1.results.proposed", b"\xff\x00 no JSON"),
        (f"{place}.r.requester.job.completed", b"{}"),
        ("lota.ev.net._.c.c1.node.joined", b'{"type": "lota.node.joined.v9"}'),
        ("lota.ev.something.else", b""),
    ):
        await watch.log.append(subject, body, id=new_id())
    watch.foreign = 4
    gate.set()
    job = await watch.closed(name)
    assert job.state == "completed"
    assert watch.network.foreign == 4


async def test_no_majority_is_a_failure_with_evidence(network: SmallNetwork) -> None:
    """Two nodes that differ fail the shard, and the reason names both and what they said."""
    await network.start("honest")
    await network.start("liar", drivers={"process": FakeEngine("process", lie)})
    job = await network.watch.ended(
        await network.watch.submit(shell("echo 4", deal=Deal(replicas=2)))
    )
    assert (job.state, job.code, job.exit_code) == ("failed", "disagreement", None)
    assert "honest says" in job.reason
    assert "liar says" in job.reason


async def test_a_failing_command_is_a_result(network: SmallNetwork) -> None:
    """An exit code other than 0 is judged, fails the job as the user's, and is run once only."""
    await network.start("c1")
    job = await network.watch.ended(
        await network.watch.submit(shell("exit 3", sharding=Sharding(count=3)))
    )
    assert (job.state, job.code, job.exit_code) == ("failed", "user", 3)
    assert [len(shard.executions) for shard in job.shards] == [1, 1, 1]


async def test_broken_nodes_are_retried_elsewhere_up_to_a_limit(network: SmallNetwork) -> None:
    """Infrastructure that fails is tried on other nodes, and then fails the shard."""
    for name in ("c1", "c2"):
        await network.start(name, drivers={"process": FakeEngine("process", break_down)})
    watch = network.watch
    job = await watch.ended(await watch.submit(shell("true")))
    executions = job.shards[0].executions
    assert (job.state, job.code, job.exit_code) == ("failed", "infrastructure", None)
    assert [execution.state for execution in executions] == ["failed"] * 3
    assert {execution.node for execution in executions} == {"c1", "c2"}
    assert "no process could be started" in job.reason


async def test_one_sound_node_is_enough(network: SmallNetwork) -> None:
    """A job completes on the sound node when the other one is broken."""
    await network.start("broken", drivers={"process": FakeEngine("process", break_down)})
    await network.start("sound")
    watch = network.watch
    job = await watch.ended(await watch.submit(shell("true", sharding=Sharding(count=4))))
    assert job.state == "completed"
    assert {states(job, index)["sound"] for index in range(4)} == {"accepted"}


async def test_cancelling_kills_what_runs(network: SmallNetwork, tmp_path: Path) -> None:
    """A cancelled job is over at once, its whole tree of processes is dead, and it is closed."""
    await network.start("c1")
    (tmp_path / "line").mkdir()
    lifeline = Lifeline(tmp_path / "line")
    hold = f"exec 9>{tmp_path}/line/alive; echo started >&9; (sleep 300; true) & sleep 300"
    job = await network.watch.submit(shell(hold))
    assert await lifeline.line() == b"started\n"
    await network.watch.cancel(job)
    await lifeline.rest()
    lifeline.close()
    closed = await network.watch.closed(job)
    assert (closed.state, closed.illegal) == ("cancelled", 0)
    assert network.watch.items[job, "executions.failed"] == 1


async def test_the_time_limit_of_an_execution(network: SmallNetwork) -> None:
    """A command that runs too long is retried, and then fails the shard as infrastructure."""
    await network.start("c1")
    job = await network.watch.ended(await network.watch.submit(shell("sleep 300", timeout="200ms")))
    assert (job.state, job.code) == ("failed", "infrastructure")
    assert len(job.shards[0].executions) == 3
    assert "ran longer than 0.2 s" in job.reason


async def test_the_deadline_of_a_job(network: SmallNetwork) -> None:
    """A job that nobody takes fails at its deadline."""
    job = await network.watch.closed(await network.watch.submit(shell("true", deadline="300ms")))
    assert (job.state, job.code) == ("failed", "deadline")


async def test_an_input_that_changes_is_not_used(network: SmallNetwork, tmp_path: Path) -> None:
    """A file that is no longer what was listed fails the execution and says so."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_text("before")
    watch = network.watch
    name = await watch.submit(shell("cat inputs/data/a", inputs=(Input(source=str(data)),)))
    (data / "a").write_text("behind")
    await network.start("c1")
    job = await watch.ended(name)
    assert (job.state, job.code) == ("failed", "infrastructure")
    assert "no longer what was listed" in job.shards[0].executions[0].reason


async def test_shards_see_their_slice_and_the_context(
    network: SmallNetwork, tmp_path: Path
) -> None:
    """Each shard finds its own files below inputs/, and the context input beside them."""
    (tmp_path / "data").mkdir()
    for name in "abcde":
        (tmp_path / "data" / name).write_text(name)
    (tmp_path / "word").write_text("!")
    for name in ("c1", "c2"):
        await network.start(name)
    spec = shell(
        "find inputs -type f | LC_ALL=C sort",
        inputs=(
            Input(source=str(tmp_path / "data")),
            Input(source=str(tmp_path / "word"), context=True),
        ),
        sharding=Sharding(size=2),
        deal=Deal(replicas=2),
        publishers=(PublisherSpec(driver="local"),),
    )
    job = await network.watch.closed(await network.watch.submit(spec))
    assert job.state == "completed"
    seen = [
        (Path(to_path(shard.slots[0].copies[0].uri)) / "stdout").read_text().split()
        for shard in job.shards
    ]
    assert seen == [
        ["inputs/data/a", "inputs/data/b", "inputs/word"],
        ["inputs/data/c", "inputs/data/d", "inputs/word"],
        ["inputs/data/e", "inputs/word"],
    ]


async def test_a_large_result_is_a_folder_that_survives_its_node(network: SmallNetwork) -> None:
    """Results with outputs/ or long streams can be listed and read, also after a restart."""
    await network.start("c1")
    watch = network.watch
    text = "head -c 100000 /dev/zero; mkdir outputs/d; echo x >outputs/d/f; echo bad >&2"
    job = await watch.closed(await watch.submit(shell(text)))
    execution = execution_id(job.id, 0, 0)
    folder = network.folder / "nodes" / "c1" / "results" / execution / "result"
    assert tree_cid(folder).cid == claim_of(job.shards[0]).cid
    await network.stop("c1")
    await network.start("c1")
    assert await list_result(watch.client, "c1", execution) == [
        ("exit_code", 1),
        ("outputs/d/f", 2),
        ("stderr", 4),
        ("stdout", 100_000),
    ]
    stdout = [chunk async for chunk in stream_result(watch.client, "c1", execution, "stdout")]
    assert b"".join(stdout) == bytes(100_000)


async def test_a_small_result_survives_its_node(network: SmallNetwork) -> None:
    """What is kept in the node's database can be read after the job is closed and a restart."""
    await network.start("c1")
    watch = network.watch
    job = await watch.closed(await watch.submit(shell("echo hello")))
    await network.stop("c1")
    await network.start("c1")
    execution = execution_id(job.id, 0, 0)
    chunks = [chunk async for chunk in stream_result(watch.client, "c1", execution, "stdout")]
    assert chunks == [b"hello\n"]


async def test_replicas_wait_for_nodes(network: SmallNetwork) -> None:
    """Three replicas on two nodes wait, and complete when a third node joins."""
    await network.start("c1")
    await network.start("c2")
    watch = network.watch
    name = await watch.submit(shell("echo 4", deal=Deal(replicas=3)))
    await watch.until_items(name, "job.planned")
    await network.start("c3")
    job = await watch.closed(name)
    assert job.state == "completed"
    assert states(job) == dict.fromkeys(("c1", "c2", "c3"), "accepted")


async def test_min_bids_wait_for_bids(network: SmallNetwork) -> None:
    """A shard that asks for two bids is not awarded on one."""
    await network.start("c1")
    watch = network.watch
    name = await watch.submit(shell("echo 4", deal=Deal(min_bids=2)))
    await watch.until_items(name, "bids.placed")
    await network.start("c2")
    job = await watch.closed(name)
    assert job.state == "completed"
    assert set(watch.authors(name, "bids.placed")) == {"c1", "c2"}
    kinds = [entry.address.kind for entry in watch.entries if entry.address.job == name]
    second = [n for n, kind in enumerate(kinds) if kind == "bids.placed"][1]
    assert kinds.index("shards.awarded") > second


async def test_labels_choose_nodes(network: SmallNetwork) -> None:
    """A job that asks for a label runs on the nodes that carry it and on no other."""
    await network.start("plain")
    await network.start("wanted", labels={"zone": "eu"})
    watch = network.watch
    spec = shell("true", labels={"node.zone": "eu"}, sharding=Sharding(count=5))
    job = await watch.ended(await watch.submit(spec))
    assert job.state == "completed"
    assert {execution.node for shard in job.shards for execution in shard.executions} == {"wanted"}


async def test_a_job_that_fits_nowhere_waits_and_says_so(network: SmallNetwork) -> None:
    """A job that asks for more than any node has is not run, and its view says why."""
    await network.start("c1")
    watch = network.watch
    name = await watch.submit(shell("true", resources=Resources(cpu=64)))
    await watch.until_items(name, "job.planned")
    reasons = why_waiting(watch.network.jobs[name], watch.network.nodes, now_ms())
    assert any(why["node"] == "c1" and "core" in why["message"] for why in reasons), reasons
    await watch.cancel(name)
    assert (await watch.closed(name)).state == "cancelled"


async def test_long_work_holds_up_no_other_job(network: SmallNetwork) -> None:
    """While threads hash and copy forty large results, a small job goes from end to end."""
    await network.start("one")
    enough = Event()
    long_work = [asyncio.ensure_future(asyncio.to_thread(enough.wait)) for _ in range(40)]
    try:
        local = PublisherSpec(driver="local")
        spec = shell("echo out; echo file > outputs/a", publishers=(local,))
        async with asyncio.timeout(60):
            job = await network.watch.closed(await network.watch.submit(spec))
    finally:
        enough.set()
        await asyncio.wait(long_work)
    assert job.state == "completed"
