"""The console session in docs/api.md, typed as it stands there beside `lota dev`."""

import shutil
from pathlib import Path

import httpx
import pytest

from tests.acceptance.console_blocks import BETWEEN, matches, script, sessions
from tests.acceptance.test_ui import url_in
from tests.lota_process import LOTA, Machine

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
SERVED_AT = "http://127.0.0.1:8470"


async def test_the_page_shows_what_is_answered(machine: Machine) -> None:
    """Every request of the page is answered as it says, wherever the dashboard is served."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl to ask with")
    page = PAGE.read_text(encoding="utf-8")
    async with machine.start(LOTA, "dev", "--nodes", "2") as dev:
        url = url_in(await dev.line("The dashboard is"))
        (session,) = sessions(page.replace(SERVED_AT, url))
        async with machine.start("sh", "-c", script(session)) as shell:
            ran = await shell.end()
        printed = ran.out.split(BETWEEN)[:-1]
        for step, text in zip(session.steps, printed, strict=True):
            assert matches(text, step.expected), f"$ {step.command}\n{text}\nis not {step.expected}"


async def test_files_that_dev_allows_are_inputs(machine: Machine, tmp_path: Path) -> None:
    """A job that comes over HTTP reads files below --allow-path of `lota dev`, and no others."""
    for name in ("allowed", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in.txt").write_text("in\n")
    words = ("dev", "--nodes", "1", "--allow-path", str(tmp_path / "allowed"))
    async with machine.start(LOTA, *words) as dev:
        url = url_in(await dev.line("The dashboard is"))
        async with httpx.AsyncClient(base_url=url, headers={"origin": url}) as client:
            answers = [
                await client.post(
                    "/api/v1/jobs",
                    json={
                        "engine": "process",
                        "command": ["cat", "inputs/in.txt"],
                        "inputs": [{"source": f"file://{tmp_path}/{name}/in.txt"}],
                    },
                )
                for name in ("allowed", "other")
            ]
        assert [answer.status_code for answer in answers] == [201, 422]
        ran = await machine.run("job", "wait", answers[0].json()["id"])
        assert ran.out == "completed\n"
