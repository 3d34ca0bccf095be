"""A node that gives out results over HTTP, as a process of its own."""

import json
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from events.cid import cid_bytes, cid_text
from events.dagpb import decode
from events.spec import JobSpec, PublisherSpec
from node.server import EmbeddedServer
from tests.integration.node_processes import Nodes
from tests.integration.watch import Watch, claim_of
from tests.node.web.scraped import samples

TOKEN = "a-token-for-this-test"


async def test_a_node_gives_out_what_it_has_published(tmp_path: Path) -> None:
    """A reader learns the URL from the network, reads a file by its CID, and how the node fares."""
    (tmp_path / "token").write_text(TOKEN)
    options = ("--serve-results", "127.0.0.1:0", "--results-token-file", tmp_path / "token")
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        server = await enter(EmbeddedServer(tmp_path / "nats"))
        watch = await enter(Watch(server.url))
        nodes = Nodes(tmp_path, server.url)
        await enter(nodes.start("r1", "requester"))
        c1 = await enter(nodes.start("c1", "compute", *options))
        spec = JobSpec(
            engine="process",
            command=("sh", "-c", "echo out"),
            publishers=(PublisherSpec(driver="local"),),
            timeout="30s",
        )
        job = await watch.closed(await watch.submit(spec))
        listed = await nodes.machine.run("node", "ls", "-o", "json", "--server", server.url)
        assert {row["name"]: row["state"] for row in json.loads(listed.out)}["c1"] == "live"
        url = watch.network.nodes.members["c1"].capabilities.serves
        async with httpx.AsyncClient(base_url=url) as client:
            for path in (f"/results/{job.id}/0/stdout", "/metrics"):
                assert (await client.get(path)).status_code == 401
            client.headers["Authorization"] = f"Bearer {TOKEN}"
            assert (await client.get(f"/results/{job.id}/0/stdout")).content == b"out\n"
            block = (await client.get(f"/blocks/{job.id}/0/{claim_of(job.shards[0]).cid}")).content
            named = {link.name: cid_text(link.cid) for link in decode(block)[0]}
            assert cid_bytes(named[b"stdout"])
            answer = await client.head(f"/results/{job.id}/0/stdout")
            assert answer.headers["etag"] == f'"{named[b"stdout"]}"'
            scraped = samples((await client.get("/metrics")).text)
        assert scraped["lota_nats_connected", ()] == 1
        assert scraped["lota_event_loop_lag_seconds_count", ()] > 0
        for state in ("waiting", "running"):
            assert scraped["lota_executions_in_hand", (("state", state),)] == 0
        ended = await c1.terminate()
        assert ended.code == 0
        assert TOKEN not in ended.err


async def test_a_node_that_would_serve_everybody_does_not_start(tmp_path: Path) -> None:
    """An address that others reach, without a token, is refused before the node joins."""
    async with EmbeddedServer(tmp_path / "nats") as server:
        nodes = Nodes(tmp_path, server.url)
        words = ("node", "serve", "--name", "c1", "--server", server.url, "--state")
        options = ("--serve-results", "0.0.0.0:0", "--results-url", "http://here:1")
        ended = await nodes.machine.run(*words, nodes.state("c1"), *options)
    assert ended.code == 2
    assert "there is no token" in ended.err
    assert "--results-token-file" in ended.err
