"""`lota dev`: a network in one terminal, used from another."""

import os
import signal
import socket
from contextlib import ExitStack, suppress

from tests.acceptance.conftest import Lota, server_of
from tests.lota_process import LOTA, Machine, Running


async def test_it_works_beside_another_server_and_ends_cleanly(machine: Machine) -> None:
    """With port 4222 taken it takes another, says which, and Ctrl-C leaves nothing behind."""
    with ExitStack() as stack:
        other = stack.enter_context(socket.socket())
        taken = False
        with suppress(OSError):  # then another process has it, and may let it go any time
            other.bind(("127.0.0.1", 4222))
            other.listen()
            taken = True
        async with machine.start(LOTA, "dev", "--nodes", "2") as dev:
            await dev.line("compute nodes are ready")
            assert not (taken and server_of(dev).endswith(":4222"))
            ran = await machine.run("run", "--replicas", "2", "--", "echo", "hello")
            assert (ran.code, ran.out) == (0, "hello\n"), ran.err
            ended = await dev.interrupt()
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert machine.left() == []


async def test_a_killed_network_leaves_no_process_and_keeps_its_jobs(machine: Machine) -> None:
    """Kill -9 takes the server with it, and the next `lota dev` has the job and its result."""
    async with machine.start(LOTA, "dev", "--nodes", "1") as dev:
        await dev.line("compute nodes are ready")
        ran = await machine.run("run", "--name", "kept", "--", "echo", "hello")
        assert ran.code == 0, ran.err
        os.kill(dev.pid, signal.SIGKILL)
        await dev.kill()
    async with machine.start(LOTA, "dev", "--nodes", "1") as dev:
        await dev.line("compute nodes are ready")
        listed = await machine.run("job", "ls", "-q")
        (job,) = listed.out.split()
        logs = await machine.run("job", "logs", job)
        assert (logs.code, logs.out) == (0, "hello\n"), logs.err
        await dev.terminate()
    assert machine.left() == []


async def test_another_node_can_join(machine: Machine, dev: Running, lota: Lota) -> None:
    """A node served beside it takes jobs that only it can run, and `node ls` shows all."""
    words = ["node", "serve", "--role", "compute", "--name", "big", "--allow", "process"]
    async with machine.start(LOTA, *words, "--label", "size=big") as node:
        await node.line("serves as compute")
        ran = await lota("run", "--label", "node.size=big", "--", "echo", "there")
        assert (ran.code, ran.out) == (0, "there\n"), ran.err
        nodes = await lota("node", "ls")
        for name in ("big", "node-1", "node-2", "requester"):
            assert name in nodes.out
        assert (await node.interrupt()).code == 0
