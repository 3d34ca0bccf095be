"""The API of a whole network: jobs come in by it, and what they came to goes out."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from events.inputs.file_uri import to_uri
from node.web.api.documents.jobs import Asked, ExecutionPage, JobDocument, LanesDocument
from node.web.api.documents.nodes import Draining
from node.web.api.documents.results import ResultPage
from node.web.api.gateway import RESULTS_AT_ONCE
from tests.integration.api_of import ApiOf, api_of
from tests.node.web.api.followers import Follower

PAGE = b"<script>alert(1)</script>\n"
SHELL = """
printf '<script>alert(1)</script>\\n' | tee "outputs/<img src=x onerror=alert(1)>.html"
printf 'err\\377\\n' >&2
printf odd > "$(printf 'outputs/a b\\n%%?#\\377\\303\\274.txt')"
mkdir outputs/deep
head -c 3000000 /dev/zero | tr '\\0' z > outputs/deep/long
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiOf]:
    async with api_of(tmp_path) as api:
        yield api


def shell(text: str, **fields: Any) -> dict[str, Any]:
    return {"engine": "process", "command": ["sh", "-c", text], "timeout": "1m", **fields}


async def test_a_job_goes_in_and_its_results_come_out(api: ApiOf) -> None:
    """What is submitted is run, described, and read: outputs, folders, files and ranges."""
    job = await api.closed(shell(SHELL, publishers=[{"driver": "local"}]))
    document = await api.get(f"/jobs/{job.id}", JobDocument)
    assert (document["state"], document["gateway"]) == ("completed", "api")
    logs = await api.client.get(f"/jobs/{job.id}/logs")
    assert logs.content == PAGE
    logs = await api.client.get(f"/jobs/{job.id}/logs?stream=stderr&offset=1")
    assert logs.content == b"rr\xff\n"
    harmless(logs)
    assert logs.headers["content-type"].startswith("text/plain")
    shards = await api.get(f"/jobs/{job.id}/results", ResultPage)
    assert [entry["name"] for entry in shards["entries"]] == ["0"]
    listed = await api.get(f"/jobs/{job.id}/results?shard=0&path=outputs", ResultPage)
    by_name = {entry["name"]: entry for entry in listed["entries"]}
    assert set(by_name) == {
        "<img src=x onerror=alert(1)>.html",
        "a b\n%?#\N{REPLACEMENT CHARACTER}ü.txt",
        "deep",
    }
    html, odd, _ = sorted(by_name)
    for name, expected in ((html, PAGE), (odd, b"odd")):
        encoded = by_name[name]["encoded"]
        answer = await api.client.get(f"/jobs/{job.id}/results/0/outputs/{encoded}")
        assert answer.content == expected
        harmless(answer)
        assert answer.headers["content-disposition"].startswith("attachment")


def harmless(answer: httpx.Response) -> None:
    """Check that no browser makes a page of an answer."""
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "html" not in answer.headers["content-type"]


async def test_a_file_is_given_in_parts(api: ApiOf) -> None:
    """Ranges, tags and sizes are as HTTP has them, so that a broken download goes on."""
    job = await api.closed(shell(SHELL))
    path = f"/jobs/{job.id}/results/0/outputs/deep/long"
    head = await api.client.head(path)
    assert (head.headers["content-length"], head.content) == ("3000000", b"")
    part = await api.client.get(path, headers={"range": "bytes=1048570-1048585"})
    assert (part.status_code, part.content) == (206, b"z" * 16)
    assert part.headers["content-range"] == "bytes 1048570-1048585/3000000"
    rest = await api.client.get(path, headers={"range": "bytes=2999999-"})
    assert rest.content == b"z"
    tag = {"if-none-match": part.headers["etag"]}
    assert (await api.client.get(path, headers=tag)).status_code == 304
    beyond = await api.client.get(path, headers={"range": "bytes=3000000-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */3000000")
    other = {"range": "bytes=0-0", "if-range": '"another"'}
    assert (await api.client.get(path, headers=other)).status_code == 200


async def test_a_folder_is_listed_page_by_page(api: ApiOf) -> None:
    """Pages of any size give each name once, in the order of bytes."""
    job = await api.closed(shell("for i in 1 2 3 4 5 6 7; do : > outputs/$i; done"))
    path = f"/jobs/{job.id}/results?shard=0&path=outputs&limit=3"
    found = await api.pages(path, ResultPage, "entries")
    assert [entry["name"] for entry in found] == list("1234567")


async def test_a_path_leads_nowhere_else(api: ApiOf) -> None:
    """Tricks in a path, folders and what is not there are all not found."""
    job = await api.closed({"engine": "noop"})
    for path in (
        "0/../../etc/passwd",
        "0/%2e%2e/%2e%2e/etc/passwd",
        "0/..%2f..%2fetc%2fpasswd",
        "0/outputs/..",
        "0/outputs//stdout",
        "0//etc/passwd",
        "0/stdout%00",
        "0/%ff",
        "0/outputs",
        "0/nothing",
        "1/stdout",
        "0/",
        "0%2fstdout",
    ):
        status, head = await asked_raw(api, f"/api/v1/jobs/{job.id}/results/{path}")
        assert status == 404, path
        assert b"application/problem+json" in head
    for path in ("results%2f0%2fstdout", "results%2f0/stdout/x"):
        status, _ = await asked_raw(api, f"/api/v1/jobs/{job.id}/{path}")
        assert status == 404, path


async def test_a_result_itself_is_a_folder(api: ApiOf) -> None:
    """With nothing behind its shard, or a folder, an address is told where that is listed."""
    job = await api.closed({"engine": "noop"})
    for path, query in (("", "shard=0"), ("outputs", "shard=0&path=outputs")):
        answer = await api.client.get(f"/jobs/{job.id}/results/0/{path}")
        assert answer.status_code == 404
        assert "is a folder" in answer.json()["detail"]
        listed = answer.json()["hint"].split(" ")[1]
        assert listed == f"/api/v1/jobs/{job.id}/results?{query}"
        assert (await api.client.get(listed.removeprefix("/api/v1"))).status_code == 200


async def test_a_shard_has_one_address(api: ApiOf) -> None:
    """What rounds to a shard's number names no shard."""
    job = await api.closed({"engine": "noop"})
    for shard in ("0.0", "-0", "0e0"):
        for path in (f"results/{shard}/stdout", f"results?shard={shard}", f"logs?shard={shard}"):
            answer = await api.client.get(f"/jobs/{job.id}/{path}")
            assert answer.status_code == 422, path
            assert answer.json()["hint"] == "write it as 0"
    assert (await api.client.get(f"/jobs/{job.id}/results/0.0")).status_code == 404


async def asked_raw(api: ApiOf, path: str) -> tuple[int, bytes]:
    """Ask for a path as it is, which no client's library mends."""
    url = api.client.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    token = api.client.headers["authorization"]
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ", 2)[1]), head


async def test_a_folder_of_a_trick_is_not_found(api: ApiOf) -> None:
    """A path in a query is held to the same rules."""
    job = await api.closed({"engine": "noop"})
    for path in ("..", "outputs/../..", "/etc", "%00", "%FF", "stdout"):
        answer = await api.client.get(f"/jobs/{job.id}/results?shard=0&path={path}")
        assert answer.status_code == 404, answer.text


async def test_what_runs_is_shown_as_far_as_it_has_come(api: ApiOf) -> None:
    """While a command runs, what it has printed is there, and then from where it was read on."""
    go = api.network.folder / "go"
    answer = await api.submit(
        shell(f"echo one; while ! test -e {go}; do sleep 0.02; done; echo two")
    )
    job = answer.json()["id"]
    await api.network.watch.until_items(job, "shards.awarded")
    await api.seen()
    text = b""
    async with asyncio.timeout(20):
        while text != b"one\n":
            text = (await api.client.get(f"/jobs/{job}/logs")).content
    go.touch()
    await api.network.watch.closed(job)
    await api.seen()
    assert (await api.client.get(f"/jobs/{job}/logs?offset=4")).content == b"two\n"


async def test_a_repeat_is_the_same_job(api: ApiOf) -> None:
    """The same id or key and spec is one job, another spec under them is refused."""
    spec = {"engine": "noop"}
    first = await api.submit(spec, params={"id": "mine"})
    again = await api.submit(spec, params={"id": "mine"})
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    assert first.headers["location"] == "/api/v1/jobs/mine"
    msgspec.json.decode(first.content, type=Asked)
    key = {"idempotency-key": "order 66"}
    by_key = [await api.submit(spec, headers=key) for _ in range(2)]
    assert by_key[0].json() == by_key[1].json()
    other = await api.submit({"engine": "noop", "name": "other"}, params={"id": "mine"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:lota:problem:JobIdTaken")
    assert (await api.submit(spec, headers={"idempotency-key": "x" * 256})).status_code == 422


async def test_a_trace_goes_on_in_the_job(api: ApiOf) -> None:
    """The caller's span is that which the job's events belong under."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = await api.submit({"engine": "noop"}, headers={"traceparent": trace})
    job = await api.network.watch.closed(answer.json()["id"])
    assert job.traceparent == trace


BODIES = [
    (b"engine: noop\nname: yes it is\n", "application/yaml", 201),
    (b'{"engine": "noop", "wrong": 1}', "application/json", 422),
    (b'{"engine": "noop", "name": "\\ud800"}', "application/json", 422),
    (b'{"engine": "noop", "name": "\xff"}', "application/json", 422),
    (b'{"engine": "process"}', "application/json", 422),
    (b'{"engine": "process", "command": ["a\\u0000"]}', "application/json", 422),
    (b"{", "application/json", 422),
    (b"[" * 100_000, "application/json", 422),
    (b"", "application/json", 422),
    (b"{}", "text/plain", 415),
    (b'{"name": "' + b"x" * 2_000_000 + b'"}', "application/json", 413),
    (b'{"engine": "noop", "name": "' + b"x" * 500_000 + b'"}', "application/json", 422),
]


async def test_a_body_is_a_spec_or_refused(api: ApiOf) -> None:
    """Specs come as JSON or YAML; what is none never reaches the log."""
    for body, media, status in BODIES:
        before = await api.network.watch.log.last()
        answer = await api.client.post("/jobs", content=body, headers={"content-type": media})
        assert answer.status_code == status, (body[:80], answer.text)
        if status == 201:
            await api.network.watch.closed(answer.json()["id"])
        else:
            assert answer.json()["hint"], answer.text
            assert await api.network.watch.log.last() == before


async def test_inputs_are_those_that_the_operator_allows(api: ApiOf, tmp_path: Path) -> None:
    """Files are listed below the allowed folders only, by whatever name others are asked for."""
    (tmp_path / "allowed" / "in.txt").write_text("in")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "allowed" / "link").symlink_to(tmp_path / "secret.txt")
    job = await api.closed(
        shell("cat inputs/in.txt", inputs=[{"source": to_uri(f"{tmp_path}/allowed/in.txt")}])
    )
    assert (await api.client.get(f"/jobs/{job.id}/logs")).content == b"in"
    for source in (
        to_uri(f"{tmp_path}/secret.txt"),
        f"file://{tmp_path}/allowed/../secret.txt",
        f"file://{tmp_path}/allowed/link",
        str(tmp_path / "secret.txt"),
        to_uri(f"{tmp_path}/nothing-there"),
        "allowed/in.txt",
        "./in.txt",
        "ftp://host/file",
    ):
        answer = await api.submit(shell("true", inputs=[{"source": source}]))
        assert answer.status_code == 422, (source, answer.text)
        assert "$.inputs[0].source" in answer.json()["detail"]


async def test_a_job_is_cancelled_once(api: ApiOf) -> None:
    """A wish is accepted while the job is open; afterwards it is too late."""
    answer = await api.submit(shell("sleep 60"))
    job = answer.json()["id"]
    await api.network.watch.until_items(job, "shards.awarded")
    await api.seen()
    wish = await api.client.post(f"/jobs/{job}/cancel", json={"reason": "<b>wrong</b>"})
    assert wish.status_code == 202
    assert (await api.network.watch.closed(job)).state == "cancelled"
    await api.seen()
    again = await api.client.post(f"/jobs/{job}/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "urn:lota:problem:JobFailed")
    document = await api.get(f"/jobs/{job}", JobDocument)
    assert document["cancel_asked"] == "<b>wrong</b>"


async def test_a_large_job_is_described_whole(api: ApiOf) -> None:
    """Of a job of a thousand shards each is there, in the document, the lanes and the list."""
    job = await api.closed({"engine": "noop", "sharding": {"count": 1_000}})
    document = await api.get(f"/jobs/{job.id}", JobDocument)
    assert [shard["state"] for shard in document["shards"]] == ["completed"] * 1_000
    lanes = await api.get(f"/jobs/{job.id}/lanes", LanesDocument)
    assert len(lanes["lanes"]) == 1_000
    path = f"/jobs/{job.id}/executions?limit=300"
    found = await api.pages(path, ExecutionPage, "executions")
    assert [row["shard"] for row in found] == list(range(1_000))
    one = await api.get(f"/jobs/{job.id}/executions?shard=999", ExecutionPage)
    assert [row["shard"] for row in one["executions"]] == [999]


async def test_events_come_as_they_are_stored(api: ApiOf) -> None:
    """From a real log, over a restart of its server, each event comes once and in order."""
    url = api.client.base_url
    base = f"http://{url.host}:{url.port}"
    headers = f"Authorization: {api.client.headers['authorization']}\r\n"
    follower = await Follower.connect(base, f"{url.path}events?after=0", headers=headers)
    await api.closed({"engine": "noop"})
    server = api.network.server
    await server.kill()
    await server.start()
    await api.closed({"engine": "noop", "sharding": {"count": 100}})
    last = api.network.watch.network.position
    await follower.until(last)
    assert follower.ids == list(range(1, last + 1))
    again = await Follower.connect(base, f"{url.path}events?after=3", headers=headers)
    await again.until(last)
    assert again.ids == list(range(4, last + 1))
    follower.close()
    again.close()


async def test_html_in_a_name_stays_text(api: ApiOf) -> None:
    """What looks like a page in a job's name or labels comes as JSON, which no browser shows."""
    name = "</script><img src=x onerror=alert(1)>"
    job = await api.closed({"engine": "noop", "name": name, "labels": {"a": name}})
    for path in ("/jobs", f"/jobs/{job.id}", f"/jobs/{job.id}/events", "/log"):
        answer = await api.client.get(path)
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert name in json.dumps(answer.json())
    missing = await api.client.get(f"/jobs/{name}")
    assert missing.headers["content-type"] == "application/problem+json"


async def test_a_node_is_drained(api: ApiOf) -> None:
    """The node itself says that it drains before the answer does."""
    answer = await api.client.post("/nodes/c1/drain")
    assert answer.status_code == 202
    msgspec.json.decode(answer.content, type=Draining)
    await api.network.watch.until(
        lambda: api.network.watch.network.nodes.members["c1"].state == "draining"
    )
    assert (await api.client.post("/nodes/c9/drain")).status_code == 404


async def test_what_nobody_holds_any_more_is_told(api: ApiOf) -> None:
    """When the node that ran a job is gone, its result is not to be had, and that is no 500."""
    job = await api.closed(shell("echo here"))
    await api.network.stop("c1")
    for path in ("logs", "results?shard=0", "results/0/stdout"):
        answer = await api.client.get(f"/jobs/{job.id}/{path}")
        assert answer.status_code in {404, 502, 504}, answer.text
        assert answer.headers["content-type"] == "application/problem+json"


async def test_results_are_read_by_a_few_at_a_time(api: ApiOf) -> None:
    """While many hold on to files that they do not read, others are told to come again; as soon as
    one of them is gone, there is room.
    """
    job = await api.closed(shell("head -c 12000000 /dev/zero >outputs/large"))
    path = f"/jobs/{job.id}/results/0/outputs/large"
    async with AsyncExitStack() as stack:
        held = [
            await stack.enter_async_context(api.client.stream("GET", path))
            for _ in range(RESULTS_AT_ONCE)
        ]
        assert {answer.status_code for answer in held} == {200}
        refused = await api.client.get(path)
        await held[0].aclose()
        while (found := await api.client.head(path)).status_code == 503:
            pass
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "are being read already" in refused.json()["detail"]
    assert (found.status_code, found.headers["content-length"]) == (200, "12000000")
