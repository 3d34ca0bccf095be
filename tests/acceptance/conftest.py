"""A user's machine, and a network on it."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.lota_process import LOTA, Machine, Ran, Running

Lota = Callable[..., Awaitable[Ran]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A home with nothing in it."""
    return Machine(tmp_path)


@pytest.fixture
async def dev(machine: Machine) -> AsyncIterator[Running]:
    """`lota dev` with two nodes, ready; what a test leaves on its log is audited."""
    async with machine.start(LOTA, "dev", "--nodes", "2") as running:
        await running.line("compute nodes are ready")
        yield running
        if not running.ended:
            audited = await machine.run("audit", "--server", server_of(running))
            assert audited.code == 0, audited.out + audited.err


@pytest.fixture
def lota(machine: Machine, dev: Running) -> Lota:
    """Type `lota ...` in another terminal of the machine where `lota dev` runs."""
    return machine.run


def server_of(dev: Running) -> str:
    """Return the address that `lota dev` has printed, which is all it prints on stdout."""
    found = re.fullmatch(r"LOTA_SERVER=(nats://127\.0\.0\.1:\d+)\n", dev.out)
    assert found, dev.out
    return found[1]
