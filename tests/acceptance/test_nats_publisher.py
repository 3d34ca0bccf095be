"""The publisher `nats` works on any network; and what could not be published is not lost."""

import re

from events.connection import connect
from tests.acceptance.conftest import Lota, server_of
from tests.lota_process import Machine, Running


async def test_a_throw_away_network_publishes_into_its_own_server(machine: Machine) -> None:
    """`lota run --dev --publisher nats` runs, publishes and prints, with nothing set up."""
    ran = await machine.run("run", "--dev", "--publisher", "nats", "--", "echo", "hi")
    assert (ran.code, ran.out) == (0, "hi\n"), ran.err
    assert "Traceback" not in ran.err
    assert machine.left() == []


async def test_a_published_result_is_an_object_that_any_client_reads(
    dev: Running, lota: Lota
) -> None:
    """What a job has published is described with its URI, which leads NATS's own tools to it."""
    ran = await lota("run", "--publisher", "nats", "--", "echo", "hi")
    assert (ran.code, ran.out) == (0, "hi\n"), ran.err
    (job,) = (await lota("job", "ls", "-q")).out.split()
    described = (await lota("job", "describe", job)).out
    found = re.search(rf"nats://lota-results/({job}/0/\w+)", described)
    assert found, described
    client = await connect(server_of(dev), name="reader")
    bucket = await client.jetstream().object_store("lota-results")
    assert (await bucket.get(f"{found[1]}/stdout")).data == b"hi\n"
    await client.close()


async def test_what_cannot_be_published_can_be_fetched(
    machine: Machine, dev: Running, lota: Lota
) -> None:
    """A job that failed in publishing says how its results are had all the same."""
    ran = await lota("run", "--publisher", "nats", "--publisher", "local=/forbidden", "--", "true")
    assert ran.code == 125
    (job,) = (await lota("job", "ls", "-q")).out.split()
    assert "may not write to /forbidden" in ran.err
    assert f"lota result get {job} fetches the results" in ran.err
    assert (await lota("result", "get", job)).code == 0
    assert (machine.empty / job / "0" / "exit_code").read_bytes() == b"0"
