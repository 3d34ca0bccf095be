"""Results over HTTP: what is given out, to whom, and what is not."""

import os
from collections.abc import AsyncIterator
from itertools import product
from pathlib import Path
from urllib.parse import quote_from_bytes

import httpx
import pytest

from events.cid import cid_bytes, cid_text, raw_cid
from node.config import ServeConfig
from node.web.serving import ServedResults
from publishers.local import LocalPublisher
from publishers.port import SmallResult, Workplace
from publishers.unixfs import tree_cid

TOKEN = "a-token-for-this-test"
LONG_BYTES = 3_000_000
OUT = b"out\n"
OUT_TAG = f'"{raw_cid(OUT)}"'
ODD_NAME = os.fsdecode(b"a b%?#\n\xff\xc3\xbc.txt\n")


class Served:
    """One published result, `job/0`, and a client of the node that serves it."""

    def __init__(self, root: Path, cid: str, client: httpx.AsyncClient) -> None:
        self.root = root
        self.folder = root / "job" / "0"
        self.cid = cid
        self.client = client

    async def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a file of the result, its names already encoded."""
        return await self.client.get(f"/results/job/0/{path}", headers=headers)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    result, root = tmp_path / "result", tmp_path / "published"
    SmallResult(OUT, b"", 0).write_to(result)
    (result / "outputs" / ODD_NAME).write_bytes(b"odd")
    (result / "outputs" / "long").write_bytes(os.urandom(LONG_BYTES))
    cid = tree_cid(result).cid
    publisher = LocalPublisher(str(root), {}, Workplace(tmp_path / "work"))
    await publisher.publish(result, "job/0", cid=cid)
    (tmp_path / "token").write_text(TOKEN)
    config = ServeConfig(listen="127.0.0.1:0", token_file=tmp_path / "token")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        ServedResults(config, root) as serving,
        httpx.AsyncClient(base_url=serving.url, headers=bearer) as client,
    ):
        yield Served(root, cid, client)
    await publisher.close()


@pytest.mark.parametrize("name", ["stdout", "exit_code", f"outputs/{ODD_NAME}", "outputs/long"])
async def test_a_file_is_given_out_by_its_encoded_name(served: Served, name: str) -> None:
    """Any name that a file can have reaches it, and the bytes are the file's."""
    answer = await served.get(quote_from_bytes(os.fsencode(name)))
    assert answer.status_code == 200
    assert answer.content == (served.folder / name).read_bytes()
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["stdout", "outputs/long"])
async def test_a_range_is_given_out_alone(served: Served, name: str) -> None:
    """Of a short and a long file just the bytes asked for come, and where they lie is said."""
    whole = (served.folder / name).read_bytes()
    answer = await served.get(name, Range="bytes=1-2")
    assert (answer.status_code, answer.content) == (206, whole[1:3])
    assert answer.headers["content-range"] == f"bytes 1-2/{len(whole)}"
    answer = await served.get(name, Range=f"bytes={len(whole)}-")
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(whole)}")


@pytest.mark.parametrize("name", ["stdout", "outputs/long"])
async def test_head_tells_the_size_alone(served: Served, name: str) -> None:
    """A client learns how large a file is without its bytes."""
    answer = await served.client.head(f"/results/job/0/{name}")
    assert (answer.status_code, answer.content) == (200, b"")
    size_bytes = (served.folder / name).stat().st_size
    assert answer.headers["content-length"] == str(size_bytes)
    assert answer.headers["accept-ranges"] == "bytes"


async def test_a_file_of_one_chunk_is_tagged_by_its_cid(served: Served) -> None:
    """Who holds the bytes already is told so, and a range of other bytes is not mixed in."""
    assert (await served.get("stdout")).headers["etag"] == OUT_TAG
    assert (await served.get("stdout", **{"If-None-Match": OUT_TAG})).status_code == 304
    answer = await served.get("stdout", **{"If-Range": OUT_TAG, "Range": "bytes=0-0"})
    assert (answer.status_code, answer.content) == (206, b"o")
    answer = await served.get("stdout", **{"If-Range": '"other"', "Range": "bytes=0-0"})
    assert (answer.status_code, answer.content) == (200, b"out\n")


async def test_every_block_is_found_from_the_root_down(served: Served) -> None:
    """A folder's block and that of a long file are given out as bytes that have the CID."""
    made: dict[str, bytes] = {}
    tree_cid(served.folder, sink=lambda cid, data: made.update({cid_text(cid): bytes(data)}))
    blocks = {text: data for text, data in made.items() if cid_bytes(text)[1] == 0x70}
    assert len(blocks) == 3
    for text, data in blocks.items():
        answer = await served.client.get(f"/blocks/job/0/{text}")
        assert (answer.status_code, answer.content) == (200, data)
        assert answer.headers["etag"] == f'"{text}"'


async def test_another_result_at_the_key_has_blocks_of_its_own(
    served: Served, tmp_path: Path
) -> None:
    """When a result gave way to another one, the blocks of the first are not found any more."""
    assert (await served.client.get(f"/blocks/job/0/{served.cid}")).status_code == 200
    other = SmallResult(b"other", b"", 0)
    served.folder.rename(tmp_path / "aside")
    other.write_to(served.folder)
    assert (await served.client.get(f"/blocks/job/0/{served.cid}")).status_code == 404
    cid = tree_cid(served.folder).cid
    assert (await served.client.get(f"/blocks/job/0/{cid}")).status_code == 200


NOT_GIVEN_OUT = """
    /results/job/0/outputs /results/job/0/nothing /results/job/0/ /results/job/0
    /results/job/1/stdout /results/job /results/ / /nothing /results /blocks
    /results/job/0/outputs/../stdout /results/job/0/%2e%2e/0/stdout /results/job/0/./stdout
    /results/job/0/..%2f0%2fstdout /results/..%2fjob/0/stdout /results/job/00/stdout
    /results/.staging/0/lock /results/job/0//stdout /results/job/0/std%00out
    /results/job/0//etc/passwd /results/job/0/linked /results/job/0/folder/passwd
    /results/linked/0/stdout /results/job/0/pipe http://127.0.0.1/results/job/0/stdout
    /blocks/job/0/nonsense /blocks/job/1/{cid} /blocks/linked/0/{cid} /blocks/job/0/{raw}
    /blocks/job/0/ /blocks/job/0/{cid}/stdout /blocks/job/0
"""


async def test_nothing_else_is_given_out(served: Served) -> None:
    """Folders, staging, ways out of the root, links and devices are not found."""
    (served.folder / "linked").symlink_to("/etc/passwd")
    (served.folder / "folder").symlink_to("/etc")
    (served.root / "linked").symlink_to("job")
    os.mkfifo(served.folder / "pipe")
    for path in NOT_GIVEN_OUT.format(cid=served.cid, raw=raw_cid(OUT)).split():
        unchanged = {"target": path.encode()}
        answer = await served.client.get("/", extensions=unchanged)
        assert answer.status_code == 404, path


async def test_nothing_is_written(served: Served) -> None:
    """There is reading and nothing else."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = await served.client.request(method, "/results/job/0/stdout", content=b"x")
        assert answer.status_code == 405
    assert (served.folder / "stdout").read_bytes() == OUT


async def test_only_the_token_opens(served: Served) -> None:
    """Without exactly this token nothing is told, not even what exists."""
    wrong = ("", "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN)
    paths = ("/results/job/0/stdout", "/results/job/0/nothing", f"/blocks/job/0/{served.cid}")
    for given, path in product(wrong, paths):
        answer = await served.client.get(path, headers={"Authorization": given})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.text


async def test_errors_do_not_tell_where_results_lie(served: Served) -> None:
    """What a client is told of what is missing or spoilt holds no path of the node."""
    (served.folder / "outputs" / "link").symlink_to("/etc")
    missing = await served.get("nothing")
    spoilt = await served.client.get(f"/blocks/job/0/{served.cid}")
    assert "nothing" in missing.json()["error"]
    assert (missing.status_code, spoilt.status_code) == (404, 500)
    assert str(served.root) not in missing.text + spoilt.text


async def test_without_a_token_a_request_names_this_machine(tmp_path: Path) -> None:
    """A page elsewhere that lets its own name point here is refused; a local client is not."""
    async with (
        ServedResults(ServeConfig(listen="127.0.0.1:0"), tmp_path) as serving,
        httpx.AsyncClient(base_url=serving.url) as client,
    ):
        assert (await client.get("/results/job/0/stdout")).status_code == 404
        rebound = await client.get("/results/job/0/stdout", headers={"Host": "evil.example:80"})
        assert rebound.status_code == 403
        assert (await client.get("/metrics")).status_code == 200
        rebound = await client.get("/metrics", headers={"Host": "evil.example:80"})
        assert rebound.status_code == 403


async def test_a_file_that_was_cut_is_not_passed_off_as_whole(served: Served) -> None:
    """When a file gets shorter while it is sent, the client sees that bytes are missing."""
    async with served.client.stream("GET", "/results/job/0/outputs/long") as answer:
        os.truncate(served.folder / "outputs" / "long", 10)
        with pytest.raises(httpx.RemoteProtocolError):
            await answer.aread()
