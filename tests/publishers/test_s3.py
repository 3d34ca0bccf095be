"""What is special to the driver `s3`, against SeaweedFS and against answers that it never gives."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import obstore
import pytest

from events.errors import NotFound, PublishError
from publishers import reading
from publishers.object_copy import ObjectCopy
from publishers.object_names import MANIFEST
from publishers.port import Location, SmallResult, Workplace
from publishers.s3 import MAX_PARTS, PART_BYTES, S3Bucket, S3Publisher, part_size_bytes
from publishers.s3_access import S3Access, S3Place
from publishers.unixfs import result_cid, tree_cid
from tests.servers.seaweedfs import BUCKET, SeaweedFs, seaweedfs
from tests.tcp_proxy import TcpProxy

MIB = 1 << 20
SMALL = SmallResult(b"one\n", b"", 0)
SMALL_CID = result_cid(b"one\n", b"", 0).cid
KEYS = {"access_key_id": "key-id", "secret_access_key": "canary-secret"}


@pytest.fixture(scope="module")
def server() -> SeaweedFs:
    return seaweedfs()


@pytest.fixture
def target() -> str:
    return f"{BUCKET}/test-{uuid.uuid4().hex}"


def opened(target: str, credential: dict[str, str], folder: Path) -> S3Publisher:
    return S3Publisher(target, credential, Workplace(folder))


def bucket_of(target: str, credential: dict[str, str]) -> S3Bucket:
    return S3Bucket(S3Place.named(target), S3Access.given(credential))


async def names(server: SeaweedFs, target: str) -> list[str]:
    """List what lies below a target, without its bucket."""
    prefix = target.partition("/")[2]
    return [
        found["path"].removeprefix(f"{prefix}/")
        async for batch in server.bucket().list(f"{prefix}/")
        for found in batch
    ]


def make_result(folder: Path, big_bytes: int = 0) -> tuple[Path, str]:
    result = folder / "result"
    (result / "outputs" / "empty").mkdir(parents=True)
    (result / "stdout").write_bytes(b"out")
    (result / "stderr").write_bytes(b"")
    (result / "exit_code").write_bytes(b"0")
    Path(os.fsdecode(os.fsencode(result) + b"/outputs/\xff a#?%+&\n")).write_bytes(b"odd")
    with (result / "outputs" / "big").open("wb") as file:
        for number in range(-(-big_bytes // MIB)):
            file.write(number.to_bytes(4, "big") * (MIB // 4))
        file.truncate(big_bytes)
    return result, tree_cid(result).cid


async def test_who_may_only_write_can_publish(
    server: SeaweedFs, target: str, tmp_path: Path
) -> None:
    """Checking and publishing need neither reading nor listing, not even the second time."""
    result, cid = make_result(tmp_path, 20 * MIB)
    writer = opened(target, server.credential("writer"), tmp_path / "w")

    await writer.check()
    await writer.publish(result, "job/0", cid=cid)
    await writer.check()
    location = await writer.publish(result, "job/0", cid=cid)

    await opened(target, server.credential("admin"), tmp_path / "a").verify(location)
    with pytest.raises(PublishError) as caught:
        await writer.verify(location)
    assert caught.value.code == "refused"


async def test_a_large_file_goes_in_parts(server: SeaweedFs, target: str, tmp_path: Path) -> None:
    """An object of several parts is the file, and no upload is left open."""
    result, cid = make_result(tmp_path, 3 * PART_BYTES + 5)
    publisher = opened(target, server.credential("admin"), tmp_path / "w")

    location = await publisher.publish(result, "job/0", cid=cid)

    copy = publisher.copy(location)
    digest = sha256()
    async for chunk in reading.fetch(copy, cid, "outputs/big"):
        digest.update(chunk)
    assert digest.digest() == sha256((result / "outputs" / "big").read_bytes()).digest()
    found = await obstore.head_async(server.bucket(), f"{target}/job/0/{cid}/outputs/big"[8:])
    assert found["e_tag"] is not None
    assert found["e_tag"].endswith('-4"')
    assert await server.unfinished(target.partition("/")[2]) == []


async def test_an_upload_that_fails_leaves_no_parts(
    server: SeaweedFs, target: str, tmp_path: Path
) -> None:
    """When the file turns out to be another one, the parts that were sent are given up."""
    bucket = bucket_of(target, server.credential("admin"))

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        raise PublishError("wrong-cid", "it changed", permanent=True)

    with pytest.raises(PublishError, match="it changed"):
        await bucket.put("big", 21 * MIB, chunks())

    assert await names(server, target) == []
    assert await server.unfinished(target.partition("/")[2]) == []


async def test_an_upload_that_is_cancelled_leaves_no_parts(server: SeaweedFs, target: str) -> None:
    """A publisher that is told to stop ends its uploads at the service, too."""
    bucket = bucket_of(target, server.credential("admin"))
    under_way = asyncio.Event()
    go_on = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(MIB)
        under_way.set()
        await go_on.wait()
        yield bytes(MIB)

    upload = asyncio.create_task(bucket.put("big", 21 * MIB, chunks()))
    await under_way.wait()
    upload.cancel()
    asyncio.get_running_loop().call_soon(go_on.set)

    with pytest.raises(asyncio.CancelledError):
        await upload
    assert await names(server, target) == []
    assert await server.unfinished(target.partition("/")[2]) == []


def test_parts_grow_where_their_count_ends() -> None:
    """The largest object that a service takes, 5 TiB, has at most 10,000 parts."""
    assert part_size_bytes(PART_BYTES + 1) == PART_BYTES
    assert part_size_bytes(5 << 40) * MAX_PARTS >= 5 << 40
    assert part_size_bytes(PART_BYTES * MAX_PARTS + 1) % MIB == 0


async def test_an_object_is_made_once(server: SeaweedFs, target: str) -> None:
    """Of many who make the same object at the same time, one is told that it did."""
    bucket = bucket_of(target, server.credential("writer"))

    made = await asyncio.gather(*[bucket.put_new("one", b"%d" % n) for n in range(16)])

    assert sorted(made) == [False] * 15 + [True]


async def test_ranges_end_where_the_object_ends(server: SeaweedFs, target: str) -> None:
    """A range beyond the end is cut, one behind the end and one of no object are not found."""
    bucket = bucket_of(target, server.credential("admin"))
    await bucket.put_new("one", b"0123456789")

    assert await bucket.read("one", 8, 100) == b"89"
    assert await bucket.size("one") == 10
    for name, offset in [("one", 10), ("two", 0)]:
        with pytest.raises(NotFound):
            await bucket.read(name, offset, 1)
    with pytest.raises(NotFound):
        await bucket.size("two")


async def test_hundred_nodes_publish_into_one_bucket(
    server: SeaweedFs, target: str, tmp_path: Path
) -> None:
    """A hundred shards arrive from as many publishers, and one file is read by a few requests."""
    results = [SmallResult(b"shard %d\n" % shard, b"", 0) for shard in range(100)]
    cids = [result_cid(one.stdout, b"", 0).cid for one in results]

    async def publish(shard: int) -> Location:
        node = opened(target, server.credential("writer"), tmp_path / str(shard))
        try:
            return await node.publish(results[shard], f"job/{shard}", cid=cids[shard])
        finally:
            await node.close()

    locations = await asyncio.gather(*map(publish, range(100)))

    found = await names(server, target)
    assert sum(name.endswith(MANIFEST) for name in found) == 100
    assert len(found) == 100 * 5
    access = S3Access.given(server.credential("admin"))
    reader = CountingBucket(S3Place.named(target), access)
    copy = ObjectCopy(reader, locations[42].uri.removeprefix(f"{reader.uri}/"))
    listed = [entry.path async for entry in reading.entries(copy, cids[42], recursive=True)]
    data = [chunk async for chunk in reading.fetch(copy, cids[42], "stdout")]
    assert listed == ["exit_code", "outputs", "stderr", "stdout"]
    assert data == [b"shard 42\n"]
    assert reader.requests <= 3


class CountingBucket(S3Bucket):
    """Counts what is asked of the service."""

    requests = 0

    async def read(self, name: str, offset: int, size_bytes: int) -> bytes:
        self.requests += 1
        return await super().read(name, offset, size_bytes)

    async def size(self, name: str) -> int:
        self.requests += 1
        return await super().size(name)


async def test_a_name_beyond_the_service_is_told(
    server: SeaweedFs, target: str, tmp_path: Path
) -> None:
    """A service that takes shorter names than S3 does is no reason to try again."""
    result, _ = make_result(tmp_path)
    (result / "outputs" / ("é" * 100)).touch()
    publisher = opened(target, server.credential("admin"), tmp_path / "w")

    with pytest.raises(PublishError) as caught:
        await publisher.publish(result, "job/0", cid=tree_cid(result).cid)

    assert (caught.value.code, caught.value.permanent) == ("bad-name", True)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"access_key_id": "nobody"}, "access_key_id"),
        ({"secret_access_key": "canary-wrong"}, "secret_access_key"),
    ],
)
async def test_a_refusal_names_the_field(
    server: SeaweedFs, target: str, tmp_path: Path, change: dict[str, str], field: str
) -> None:
    """Keys that are turned away are permanent, and the error says which field to look at."""
    publisher = opened(target, server.credential("admin") | change, tmp_path)

    with pytest.raises(PublishError) as caught:
        await publisher.check()

    assert (caught.value.code, caught.value.permanent) == ("refused", True)
    assert f"'{field}'" in caught.value.hint
    assert "canary" not in str(caught.value)


class DamagingProxy(TcpProxy):
    """Changes the text that it finds in what is sent."""

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        with suppress(OSError):
            while data := await source.read(MIB):
                sink.write(data.replace(b"plain text", b"plain test"))
                await sink.drain()
        sink.close()


@pytest.mark.parametrize("chunks", [1, 20])
async def test_damage_on_the_way_is_not_stored(server: SeaweedFs, target: str, chunks: int) -> None:
    """A byte that changes on the line is found by the service, and a repeat may help."""

    async def sent() -> AsyncIterator[bytes]:
        for _ in range(chunks - 1):
            yield bytes(MIB)
        yield b"plain text"

    async with DamagingProxy(server.port) as proxy:
        bucket = bucket_of(target, server.credential("admin", proxy.port))
        with pytest.raises(PublishError) as caught:
            await bucket.put("one", (chunks - 1) * MIB + 10, sent())

    assert (caught.value.code, caught.value.permanent) == ("broken-off", False)
    assert await names(server, target) == []
    assert await server.unfinished(target.partition("/")[2]) == []


OPEN_BY_SCRIPT = """
import asyncio, json, sys
from pathlib import Path
from events.errors import PublishError
from publishers.port import Workplace
from publishers.s3 import S3Publisher
publisher = S3Publisher(sys.argv[1], json.loads(sys.argv[2]), Workplace(Path(sys.argv[3])))
try:
    asyncio.run(publisher.check())
    print("written")
except PublishError as error:
    print(error.code)
"""


@pytest.mark.parametrize(
    ("identity", "outcome"), [("admin", "written"), ("nobody", "refused"), (None, "refused")]
)
def test_the_environment_is_not_used(
    server: SeaweedFs, target: str, tmp_path: Path, identity: str | None, outcome: str
) -> None:
    """Neither keys nor addresses nor proxies of the environment are used."""
    credential = server.credential(identity or "admin")
    if identity is None:
        credential = {"endpoint": credential["endpoint"]}
    planted = {
        "AWS_ACCESS_KEY_ID": "admin",
        "AWS_SECRET_ACCESS_KEY": "admin-secret-key",
        "AWS_SESSION_TOKEN": "planted",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_PROXY_URL": "http://127.0.0.1:1",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_SERVER_SIDE_ENCRYPTION": "aws:kms",
        "aws_bucket": "other",
    }
    if identity != "admin":
        planted["AWS_SKIP_SIGNATURE"] = "false"
    arguments = [target, json.dumps(credential), str(tmp_path)]

    done = subprocess.run(
        [sys.executable, "-c", OPEN_BY_SCRIPT, *arguments],
        env=os.environ | planted,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == outcome


def test_the_environment_stays_as_it_is(tmp_path: Path) -> None:
    """What is hidden from the client while it is made is there for all others, then and after."""
    script = (
        "import os, subprocess; from publishers.s3 import S3Publisher;"
        "from publishers.port import Workplace; from pathlib import Path;"
        "S3Publisher('bucket', {'endpoint': 'http://127.0.0.1:1'}, Workplace(Path('.')));"
        "print(os.environ['AWS_REGION'], flush=True); subprocess.run(['printenv', 'AWS_REGION'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"AWS_REGION": "mars"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["mars", "mars"]


@pytest.mark.parametrize(
    "target",
    ["", "s3://", "b", "https://host/bucket", "Bucket", "bucket/../x", "bucket/a b", "bucket//a"],
)
def test_a_target_is_a_bucket_and_a_prefix(target: str, tmp_path: Path) -> None:
    """Anything that is not a bucket and a plain prefix, and so every host, is refused."""
    with pytest.raises(PublishError) as caught:
        opened(target, KEYS, tmp_path)

    assert (caught.value.code, caught.value.permanent) == ("bad-target", True)


@pytest.mark.parametrize(
    ("credential", "field"),
    [
        ({}, "access_key_id"),
        ({"access_key_id": "a"}, "secret_access_key"),
        ({"secret_access_key": "canary"}, "access_key_id"),
        ({"session_token": "canary"}, "access_key_id"),
        (KEYS | {"endpoint": "https://canary:canary@host"}, "endpoint"),
        (KEYS | {"endpoint": "host:canary"}, "endpoint"),
        (KEYS | {"endpoint": "http://host?canary"}, "endpoint"),
    ],
)
def test_a_credential_that_lacks_a_field_names_it(
    credential: dict[str, str], field: str, tmp_path: Path
) -> None:
    """A credential that cannot work is refused when it is opened, without showing it."""
    with pytest.raises(PublishError) as caught:
        opened("bucket", credential, tmp_path)

    assert (caught.value.code, caught.value.permanent) == ("credential", True)
    assert f"'{field}'" in caught.value.what
    assert "canary" not in str(caught.value)
