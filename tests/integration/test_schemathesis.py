"""The API held to its own description, by a tool that makes up good and bad requests."""

import asyncio
import re
import sys
from pathlib import Path

from tests.integration.api_of import TOKEN, ApiOf, api_of

TOOL = Path(sys.executable).with_name("st")
TIMEOUT_S = 100
CASES_MIN = 1_000

CONFIG = """
# Every check is on. What a description can say of a request is not all that holds for it: a spec
# whose `confidence` exceeds its `replicas`, a span that ends before it begins. Such a request is
# refused with 422, so that counts as an answer to what the description admits.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "401", "403", "404", "409", "422"]

[[operations]]
include-path = "/api/v1/jobs/{{id}}/results/{{shard}}/{{path}}"
parameters = {{ "path.id" = "{job}", "path.shard" = 0, "path.path" = "exit_code" }}
"""


async def test_answers_are_as_they_are_described(tmp_path: Path) -> None:
    """No made-up request fails the server, gets what is not described, or passes unexpectedly."""
    # No command of a job that the tool makes up is ever run: this node has no engine for it.
    async with api_of(tmp_path, engines=("noop",)) as api:
        job = await api.closed({"engine": "noop"})
        (tmp_path / "schemathesis.toml").write_text(CONFIG.format(job=job.id))
        # Streams have no end, and a node that drains would run none of the jobs that come.
        out = await schemathesis(api, tmp_path, "--exclude-path-regex", "/(events|changes|drain)$")
        cases = re.search(r"([0-9]+) generated, ([0-9]+) passed", out)
        assert cases is not None, out
        assert int(cases[1]) == int(cases[2]) >= CASES_MIN, out
        await schemathesis(api, tmp_path, "--include-path-regex", "/drain$")


async def schemathesis(api: ApiOf, folder: Path, *options: str) -> str:
    """Run the tool on the API's description, and return what it says when it finds nothing."""
    process = await asyncio.create_subprocess_exec(
        *(TOOL, "--config-file", "schemathesis.toml", "--no-color"),
        *("run", f"{api.client.base_url}openapi.json", "--header"),
        *(f"Authorization: Bearer {TOKEN}", "--seed", "1", "--max-examples", "10"),
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out = (await process.stdout.read()).decode()
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert code == 0, out
    return out
