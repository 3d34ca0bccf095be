"""`lota run --dev`: one command line, a throw-away network, and the command's own answer."""

from node.server import EmbeddedServer
from tests.contracts.executor_drivers import Lifeline
from tests.lota_process import LOTA, Machine


async def test_the_exit_code_is_the_commands(machine: Machine) -> None:
    """A command that exits with 3 makes `lota run` exit with 3, and prints what it printed."""
    ran = await machine.run("run", "--dev", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (ran.code, ran.out) == (3, "out\n")
    assert "err\n" in ran.err
    assert "Traceback" not in ran.err


async def test_nodes_that_disagree_are_named(machine: Machine) -> None:
    """Two nodes that cannot agree fail the job with 125, and the evidence names both."""
    ran = await machine.run("run", "--dev", "--replicas", "2", "--", "date", "+%N")
    assert (ran.code, ran.out) == (125, "")
    assert "fewer than 2 agree" in ran.err
    assert "node-1 says" in ran.err
    assert "node-2 says" in ran.err


async def test_outputs_come_in_the_order_of_the_shards(machine: Machine) -> None:
    """Each shard sees its files, all are printed in order, and nothing of the network is left."""
    for number in range(5):
        (machine.empty / f"{number}.txt").write_text(f"text {number}\n")
    (machine.empty / "other").write_text("not chosen\n")
    text = "echo $LOTA_SHARD of $LOTA_SHARDS; find inputs -type f | sort | xargs cat"
    words = ["--input", ".:data", "--shard-glob", "*.txt", "--shard-size", "2", "--replicas", "2"]
    ran = await machine.run("run", "--dev", *words, "--publisher", "local", "--", "sh", "-c", text)
    expected = "0 of 3\ntext 0\ntext 1\n1 of 3\ntext 2\ntext 3\n2 of 3\ntext 4\n"
    assert ran.out == expected, ran.err
    assert ran.code == 0
    assert machine.left() == []
    assert list((machine.folder / "tmp").iterdir()) == []
    (job,) = machine.published.glob("[0-9]*")
    assert sorted(path.name for path in job.iterdir()) == ["0", "1", "2"]


async def test_ctrl_c_cancels_on_a_network_of_ones_own(machine: Machine) -> None:
    """Ctrl-C exits with 130, and no process of the network or of the job is left."""
    (machine.folder / "line").mkdir()
    lifeline = Lifeline(machine.folder / "line")
    text = f"exec 9>{machine.folder}/line/alive; echo started >&9; sleep 300"
    async with machine.start(LOTA, "run", "--dev", "--", "sh", "-c", text) as run:
        assert await lifeline.line() == b"started\n"
        ran = await run.interrupt()
    await lifeline.rest()
    lifeline.close()
    assert ran.code == 130
    assert "Traceback" not in ran.err
    assert machine.left() == []
    assert list((machine.folder / "tmp").iterdir()) == []


async def test_a_job_that_no_node_takes_up_says_why(machine: Machine) -> None:
    """Who waits for a job on a network without nodes is told so on stderr, also behind a pipe."""
    async with EmbeddedServer(machine.folder / "nats") as server:
        words = ("run", "--server", server.url, "--", "echo", "hello")
        async with machine.start(LOTA, *words) as run:
            first = await run.line("waits")
            await run.line("no requester is present")
            remedy = await run.line("lota job describe")
    job = first.split()[2]
    assert job in remedy
    assert run.out == ""
