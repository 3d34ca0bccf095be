"""A job whose credential nobody has yet."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

from node.server import EmbeddedServer
from tests.integration.node_processes import Nodes
from tests.integration.watch import Watch

SPEC = """
engine: process
command: [echo, hello]
publishers: [{driver: local, credential: lab}]
timeout: 30s
"""


async def test_a_job_waits_for_a_credential(tmp_path: Path) -> None:
    """Describe says which name is missing where, and the job runs when a node has it."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        server = await enter(EmbeddedServer(tmp_path / "nats"))
        watch = await enter(Watch(server.url))
        nodes = Nodes(tmp_path, server.url)
        lota = nodes.machine.run
        await enter(nodes.start("requester", "requester"))
        await enter(nodes.start("c1"))
        await enter(nodes.start("c2", LOTA_CRED_OTHER_TOKEN="token"))
        await watch.joined("requester", "c1", "c2")
        submitted = await lota("job", "submit", "-", "--server", server.url, stdin=SPEC.encode())
        name = submitted.out.strip()
        await watch.until_items(name, "job.planned")
        words = ("job", "describe", name, "--server", server.url)
        reasons = json.loads((await lota(*words, "-o", "json")).out)["why_waiting"]
        lacking = {reason["node"]: reason["message"] for reason in reasons if reason["node"]}
        assert lacking == dict.fromkeys(("c1", "c2"), "it has no credential 'lab'")
        assert "it has no credential 'lab'" in (await lota(*words)).out
        await enter(nodes.start("c3", LOTA_CRED_LAB_TOKEN="token"))
        job = await watch.ended(name)
        assert job.state == "completed", job.reason
        rows = json.loads((await lota("node", "ls", "-o", "json", "--server", server.url)).out)
        assert {row["name"]: row["credentials"] for row in rows} == {
            "requester": [],
            "c1": [],
            "c2": ["other"],
            "c3": ["lab"],
        }
