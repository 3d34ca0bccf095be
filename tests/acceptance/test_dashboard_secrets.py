"""What the dashboard of `lota dev` knows of its operator's secrets, and what it does not."""

import os
import shutil
from pathlib import Path
from secrets import token_hex

import httpx

from tests.acceptance.test_ui import url_in
from tests.lota_process import LOTA, Machine
from tests.servers.seaweedfs import BUCKET, seaweedfs


def dashboard_of(parent: int) -> int:
    """Return the process of the dashboard that a process has started."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if int(stat[1]) == parent and b"dashboard_child" in words:
            return int(pid)
    raise AssertionError("there is no dashboard")


async def test_published_results_are_read_with_variables(machine: Machine) -> None:
    """Credentials that are variables of `lota dev` open published results in its dashboard, and
    nothing else of the environment gets there.
    """
    weed = seaweedfs().credential("admin")
    secrets = {f"LOTA_CRED_STORE_{field.upper()}": value for field, value in weed.items()}
    machine.environment |= secrets | {"OTHERS_SECRET": "canary"}
    async with machine.start(LOTA, "dev", "--nodes", "1") as running:
        url = url_in(await running.line("The dashboard is"))
        target = f"s3@store=s3://{BUCKET}/{token_hex(8)}"
        writing = ("sh", "-c", "echo hello >outputs/file")
        ran = await machine.run("run", "--publisher", target, "--", *writing)
        assert ran.code == 0, ran.err
        job = (await machine.run("job", "ls", "-q")).out.strip()
        for kept in machine.folder.rglob("node-1/results"):
            shutil.rmtree(kept)  # now the store alone has it
        async with httpx.AsyncClient(base_url=url) as client:
            read = await client.get(f"/api/v1/jobs/{job}/results/0/outputs/file")
            assert (read.status_code, read.text) == (200, "hello\n")
        at = Path(f"/proc/{dashboard_of(running.pid)}")
        assert not any(value.encode() in (at / "cmdline").read_bytes() for value in weed.values())
        if os.access(at / "environ", os.R_OK):  # as root alone
            environment = (at / "environ").read_bytes()
            assert b"LOTA_CRED" not in environment
            assert b"canary" not in environment
        assert (await running.interrupt()).code == 0
    assert "canary" not in running.err
