"""The dashboard as a user comes to it: by `lota dev`, `lota ui`, and of an export."""

import socket
from contextlib import ExitStack, suppress

import httpx

from tests.acceptance.conftest import Lota
from tests.lota_process import LOTA, Machine, Running


def url_in(line: str) -> str:
    """Return the URL at the end of a line, without the page."""
    return line.rsplit(maxsplit=1)[-1].partition("/ui/")[0]


async def jobs_at(url: str) -> list[str]:
    """Return the ids of the jobs that a dashboard lists, whose pages are there too."""
    async with httpx.AsyncClient(base_url=url) as client:
        page = await client.get("/ui/")
        assert page.status_code == 200
        assert "<title>" in page.text
        assert (await client.get("/metrics")).status_code == 200
        answer = await client.get("/api/v1/jobs")
        assert answer.status_code == 200
        return [row["id"] for row in answer.json()["jobs"]]


async def submitted(lota: Lota) -> str:
    """Run a job and return its id."""
    ran = await lota("run", "--", "echo", "hello")
    assert ran.code == 0, ran.err
    return (await lota("job", "ls", "-q")).out.strip()


async def test_a_network_has_its_dashboard(dev: Running, lota: Lota) -> None:
    """What `lota dev` says is its dashboard shows a job that was run just now."""
    url = url_in(await dev.line("The dashboard is"))
    job = await submitted(lota)
    while not (listed := await jobs_at(url)):
        pass
    assert listed == [job]


async def test_a_port_that_is_taken(machine: Machine) -> None:
    """`lota dev` goes on without a dashboard on a port that another has, or on none at all."""
    with ExitStack() as stack:
        other = stack.enter_context(socket.socket())
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        async with machine.start(LOTA, "dev", "--nodes", "1", "--ui-port", port) as dev:
            await dev.line("there is no dashboard")
            await dev.line("compute nodes are ready")
            assert (await dev.interrupt()).code == 0
    async with machine.start(LOTA, "dev", "--nodes", "1", "--no-ui") as dev:
        await dev.line("compute nodes are ready")
        assert "dashboard" not in dev.err
        assert (await dev.interrupt()).code == 0
    assert machine.left() == []


async def test_a_server_is_looked_at(machine: Machine, dev: Running, lota: Lota) -> None:
    """`lota ui JOB` prints the page of a job, serves it until Ctrl-C, and stays here by default."""
    with ExitStack() as stack:
        other = stack.enter_context(socket.socket())
        with suppress(OSError):  # then another process has it
            other.bind(("127.0.0.1", 8470))
            other.listen()
        job = await submitted(lota)
        async with machine.start(LOTA, "ui", job[:8], "--show-url") as ui:
            line = await ui.line("/ui/#/jobs/")
            assert line.endswith(f"/ui/#/jobs/{job}")
            assert not line.startswith("http://127.0.0.1:8470/")
            assert "is served instead" in ui.err
            await ui.line("serving until")
            assert await jobs_at(url_in(line)) == [job]
            ended = await ui.interrupt()
    assert (ended.code, ended.out) == (0, f"{line}\n")
    refused = await lota("ui", "--listen", "0.0.0.0:0")
    assert refused.code == 2
    assert "--token-file" in refused.err
    assert (await lota("ui", "nobody", "--listen", "127.0.0.1:0")).code == 3


async def test_an_export_is_looked_at(machine: Machine, dev: Running, lota: Lota) -> None:
    """`lota replay --from FILE --serve` shows without a server what the server's dashboard does."""
    job = await submitted(lota)
    file = machine.folder / "log.jsonl"
    assert (await lota("events", "export", "-o", file)).code == 0
    assert (await dev.interrupt()).code == 0
    async with machine.start(LOTA, "replay", "--from", file, "--serve", "--job", job[:8]) as served:
        line = await served.line(f"/ui/#/jobs/{job}")
        await served.line("serving until")
        async with httpx.AsyncClient(base_url=url_in(line)) as client:
            while (await client.get("/readyz")).status_code != 200:
                pass
            assert (await client.get(f"/api/v1/jobs/{job}")).json()["state"] == "completed"
            refused = await client.post(
                f"/api/v1/jobs/{job}/cancel", json={"reason": ""}, headers={"origin": url_in(line)}
            )
            assert refused.status_code in {404, 405, 409}
        assert (await served.interrupt()).code == 0
    assert (await lota("replay", "--serve")).code == 2
    assert (await lota("replay", "--serve", "--from", file, "--closed")).code == 2
