"""The results of a job from where its log says they are: served, in a bucket, behind a gateway."""

import os
import socket
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path

import pytest
from nats.aio.client import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events.cid import cid_bytes, cid_text, raw_cid
from events.connection import connect
from events.errors import NotFound, PublishError
from events.items import Claim
from events.jetstream import JetStreamLog, open_blobs, open_log
from events.spec import JobSpec, PublisherSpec
from node.config import ServeConfig
from node.jobs import load_job
from node.results.job_results import JobResults
from node.rpc import serve_rpc
from node.web.server import WebServer
from node.web.serving import ServedResults
from publishers import open_publisher
from publishers.local import LocalPublisher
from publishers.port import Workplace
from publishers.reading import fetch
from publishers.skeleton import Skeleton
from tests.contracts.places.s3 import S3Place
from tests.node.cli.job_on_log import JobOnLog, join
from tests.node.cli.result_sources import FolderSource, result

TOKEN = "a-token-for-this-test"
BIG = os.urandom(2_500_000)


class Scene:
    """A job on a log whose one result is in a folder that no holder knows of."""

    def __init__(self, client: Client, log: JetStreamLog, folder: Path) -> None:
        self.client = client
        self.log = log
        self.folder = folder
        self.held = folder / "held"
        self.claim = result(self.held, big=BIG)
        self.warnings: list[str] = []
        self.workplace = Workplace(folder / "work", client)

    async def job(self, node: str, publisher: PublisherSpec) -> JobOnLog:
        """Tell a job up to its verdict, with one publication still to come."""
        job = JobOnLog(self.log)
        await job.submit(
            await open_blobs(self.client), JobSpec(engine="noop", publishers=(publisher,))
        )
        await job.plan()
        await job.award(node, publish=(0,))
        await job.finish(node, self.claim)
        return job

    async def read(
        self,
        job: JobOnLog,
        environ: Mapping[str, str],
        credentials: Mapping[str, Mapping[str, str]] | None = None,
    ) -> bytes:
        """Read the large file of the result as a client with that environment."""
        loaded = await load_job(self.log, job.id, with_nodes=True)
        results = JobResults(
            loaded.job,
            loaded.nodes,
            client=self.client,
            warn=self.warnings.append,
            credentials=partial(_credential, credentials or {}),
            environ=environ,
        )
        shard = await results.shard(0)
        try:
            path = "outputs/big"
            return b"".join([c async for c in fetch(shard.copy, shard.claim.cid, path)])
        finally:
            await shard.close()
            await results.close()


def _credential(own: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str]:
    if name not in own:
        raise PublishError("credential", f"there is no credential {name!r}", permanent=True)
    return own[name]


@pytest.fixture
async def scene(nats_url: str, tmp_path: Path) -> AsyncIterator[Scene]:
    client = await connect(nats_url, name="test")
    log = await open_log(client)
    yield Scene(client, log, tmp_path)
    await log.close()
    await client.close()


async def test_a_node_that_serves_is_read_over_http(scene: Scene) -> None:
    """What another machine's disk has is read from the node there, by the URL that it told."""
    job = await scene.job("results-http", PublisherSpec(driver="local"))
    publisher = LocalPublisher(str(scene.folder / "there"), {}, scene.workplace)
    await publisher.publish(scene.held, f"{job.id}/0", cid=scene.claim.cid)
    await publisher.close()
    token = scene.folder / "token"
    token.write_text(TOKEN)
    config = ServeConfig(listen="127.0.0.1:0", token_file=token)
    async with ServedResults(config, scene.folder / "there") as serving:
        await join(scene.log, "results-http", "compute", serves=serving.url)
        await job.publish("results-http", scene.claim, f"file:///elsewhere/{job.id}/0")
        assert await scene.read(job, {"LOTA_RESULTS_TOKEN": TOKEN}) == BIG
        assert await scene.read(job, {"LOTA_RESULTS_TOKEN_FILE": str(token)}) == BIG
        with pytest.raises(PublishError, match="401"):
            await scene.read(job, {})


async def test_a_bucket_is_read_by_its_driver(scene: Scene) -> None:
    """A copy in the object store of the log's server needs no node at all."""
    spec = PublisherSpec(driver="nats", target="reading-test")
    job = await scene.job("nobody", spec)
    publisher = open_publisher("nats", "reading-test", {}, scene.workplace)
    await publisher.check()
    location = await publisher.publish(scene.held, f"{job.id}/0", cid=scene.claim.cid)
    await publisher.close()
    await job.publish("nobody", scene.claim, location.uri)
    assert await scene.read(job, {}) == BIG
    assert scene.warnings == []


async def test_a_uri_leads_nowhere_else(scene: Scene) -> None:
    """A copy said to be in another bucket than the job's target is passed over."""
    spec = PublisherSpec(driver="nats", target="reading-test")
    job = await scene.job("results-own", spec)
    await job.publish("results-own", scene.claim, f"nats://other/{job.id}/0/{scene.claim.cid}")
    stop = await serve_rpc(scene.client, "results-own", FolderSource(scene.held))
    assert await scene.read(job, {}) == BIG
    await stop()


async def test_a_service_is_read_with_the_readers_own_credential(scene: Scene) -> None:
    """Who has the job's credential reads from the service where it was published."""
    async with S3Place(scene.folder / "place") as place:
        spec = PublisherSpec(driver="s3", target=place.target, credential="theirs")
        job = await scene.job("nobody", spec)
        publisher = open_publisher("s3", place.target, place.credential, place.workplace)
        location = await publisher.publish(scene.held, f"{job.id}/0", cid=scene.claim.cid)
        await publisher.close()
        await job.publish("nobody", scene.claim, location.uri)
        assert await scene.read(job, {}, {"theirs": place.credential}) == BIG
        with pytest.raises(PublishError, match="no credential 'theirs'"):
            await scene.read(job, {})


async def test_a_reader_without_the_credential_asks_the_node(scene: Scene) -> None:
    """Who may not read the service reads from whoever ran the shard."""
    job = await scene.job(
        "results-node", PublisherSpec(driver="ipfs", target="", credential="theirs")
    )
    await job.publish("results-node", scene.claim, f"ipfs://{scene.claim.cid}")
    stop = await serve_rpc(scene.client, "results-node", FolderSource(scene.held))
    assert await scene.read(job, {}) == BIG
    assert scene.warnings == []
    await stop()


async def test_a_gateway_serves_what_is_at_ipfs(scene: Scene) -> None:
    """Any gateway that is named gives the blocks of a copy at IPFS; none is believed."""
    job = await scene.job("nobody", PublisherSpec(driver="ipfs", target="", credential="theirs"))
    await job.publish("nobody", scene.claim, f"ipfs://{scene.claim.cid}")
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        async with WebServer(gateway(scene.held, scene.claim), bound):
            there = f"http://127.0.0.1:1 http://127.0.0.1:{port}"
            assert await scene.read(job, {"LOTA_IPFS_GATEWAY": there}) == BIG


def gateway(folder: Path, claim: Claim) -> Starlette:
    """Return a trustless gateway over one result."""
    skeleton = Skeleton.build(folder)
    chunks = (BIG[at : at + (1 << 20)] for at in range(0, len(BIG), 1 << 20))
    leaves = {raw_cid(chunk): chunk for chunk in chunks}

    async def block(request: Request) -> Response:
        name = request.path_params["cid"]
        try:
            return Response(leaves.get(name) or skeleton.node(cid_bytes(name)))
        except NotFound:
            return Response(status_code=404)

    assert skeleton.cid == claim.cid == cid_text(cid_bytes(claim.cid))
    return Starlette(routes=[Route("/ipfs/{cid}", block)])
