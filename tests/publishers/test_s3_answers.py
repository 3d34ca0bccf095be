"""What the driver `s3` makes of answers: those that are refusals, and those that are wrong."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from events.errors import PublishError
from publishers.port import SmallResult, Workplace
from publishers.s3 import S3Bucket, S3Publisher
from publishers.s3_access import S3Access, S3Place
from publishers.unixfs import result_cid
from tests.servers.s3_answers import Request, answering, refusal, reply

MIB = 1 << 20
SMALL = SmallResult(b"one\n", b"", 0)
SMALL_CID = result_cid(b"one\n", b"", 0).cid
CHECKSUM_OF_X = "Lb1nAmRU5LE="
"""The CRC-64/NVME of "x", computed bit by bit as its definition says."""

BEGUN = "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>"

KEYS = {
    "access_key_id": "key-id",
    "secret_access_key": "canary-secret",
    "session_token": "canary-token",
}


def accept(request: Request) -> bytes:
    """Take whatever is written, over whatever was there."""
    return reply(200, ETag='"etag"')


def bucket_at(port: int, **credential: str) -> S3Bucket:
    fields = credential | {"endpoint": f"http://127.0.0.1:{port}"}
    return S3Bucket(S3Place.named("bucket/prefix"), S3Access.given(fields))


async def failure(bucket: S3Bucket) -> PublishError:
    """Return what is raised for the smallest of publications."""
    with pytest.raises(PublishError) as caught:
        await bucket.put("name", 1, one_chunk())
    return caught.value


async def one_chunk() -> AsyncIterator[bytes]:
    yield b"x"


async def many_chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


@pytest.mark.parametrize(
    ("answer", "code", "permanent", "hint"),
    [
        (refusal(403, "AccessDenied"), "refused", True, "access_key_id"),
        (refusal(403, "InvalidAccessKeyId"), "refused", True, "access_key_id"),
        (refusal(403, "SignatureDoesNotMatch"), "refused", True, "secret_access_key"),
        (refusal(400, "ExpiredToken"), "refused", True, "session_token"),
        (refusal(400, "AuthorizationHeaderMalformed"), "refused", True, "region"),
        (refusal(403, "RequestTimeTooSkewed"), "refused", False, "clock"),
        (refusal(404, "NoSuchBucket"), "no-bucket", True, "bucket"),
        (reply(404), "no-bucket", True, "bucket"),
        (refusal(301, "PermanentRedirect"), "rejected", True, "region"),
        (reply(302), "rejected", True, "endpoint"),
        (refusal(400, "BadDigest"), "broken-off", False, "Repeat"),
        (refusal(400, "XAmzContentSHA256Mismatch"), "broken-off", False, "Repeat"),
        (refusal(400, "Other"), "rejected", True, "S3"),
        (refusal(400, "ExcessHeaderValues"), "rejected", True, "checksums"),
        (refusal(501, "NotImplemented"), "rejected", True, "checksums"),
        (refusal(409, "OperationAborted"), "rejected", False, "S3"),
        (reply(200), "bad-answer", False, "S3"),
    ],
)
async def test_an_answer_is_read(answer: bytes, code: str, permanent: bool, hint: str) -> None:
    """A refusal has a code, says if a repeat may help and where to look, and shows no secret."""
    async with answering(lambda _: answer) as answers:
        error = await failure(bucket_at(answers.port, **KEYS))

    assert (error.code, error.permanent) == (code, permanent)
    assert hint in error.hint
    assert "canary" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(500, "InternalError"), "unavailable"),
        (refusal(503, "SlowDown"), "busy"),
        (refusal(507, "InsufficientStorage"), "disk-full"),
        (refusal(503, "XMinioStorageFull"), "disk-full"),
        (b"", "broken-off"),
    ],
)
async def test_a_service_in_trouble_is_asked_again(answer: bytes, code: str) -> None:
    """What may pass is repeated a few times, and then told as something that may pass."""
    async with answering(lambda _: answer) as answers:
        error = await failure(bucket_at(answers.port, **KEYS))

    assert (error.code, error.permanent) == (code, False)
    assert 2 <= len(answers.requests) <= 10


async def test_a_service_that_is_down_is_told() -> None:
    """A refused connection is tried again for some seconds only, and named by its address."""
    async with answering(accept) as answers:
        pass

    error = await failure(bucket_at(answers.port, **KEYS))

    assert (error.code, error.permanent) == ("unreachable", False)
    assert f"127.0.0.1:{answers.port}" in error.what


async def test_a_part_that_is_not_taken_ends_the_upload() -> None:
    """When the service fails in the midst of an object, it is told that no more is to come."""

    def fail(request: Request) -> bytes:
        if request.method == "POST":
            return reply(200, BEGUN)
        return reply(204) if request.method == "DELETE" else refusal(507, "InsufficientStorage")

    async with answering(fail) as answers:
        with pytest.raises(PublishError) as caught:
            await bucket_at(answers.port, **KEYS).put("name", 40 * MIB, many_chunks(40))

    assert (caught.value.code, caught.value.permanent) == ("disk-full", False)
    assert "DELETE" in {request.method for request in answers.requests}
    assert answers.requests[-1].path == "/bucket/prefix/name?uploadId=one"


async def test_parts_carry_the_digest_that_every_service_knows() -> None:
    """An object of several parts is announced with sha256, and each part has its own."""

    def begin(request: Request) -> bytes:
        return reply(200, BEGUN) if request.method == "POST" else refusal(400, "Other")

    async with answering(begin) as answers:
        with pytest.raises(PublishError):
            await bucket_at(answers.port, **KEYS).put("name", 9 * MIB, many_chunks(9))

    assert answers.requests[0].headers["x-amz-checksum-algorithm"] == "SHA256"
    parts = [request for request in answers.requests if request.method == "PUT"]
    assert parts
    assert all("x-amz-checksum-sha256" in part.headers for part in parts)


async def test_a_conflict_is_no_success() -> None:
    """When another writer is at it, nobody knows yet that the manifest stands."""
    async with answering(lambda _: refusal(409, "ConditionalRequestConflict")) as answers:
        with pytest.raises(PublishError) as caught:
            await bucket_at(answers.port, **KEYS).put_new("name", b"")

    assert not caught.value.permanent


async def test_a_bucket_that_replaces_is_refused() -> None:
    """A service that ignores create-only writes is found out, and the error says what to do."""
    async with answering(accept) as answers:
        with pytest.raises(PublishError) as caught:
            await bucket_at(answers.port, **KEYS).check()

    assert (caught.value.code, caught.value.permanent) == ("not-create-only", True)
    assert "If-None-Match" in caught.value.hint
    assert {request.path for request in answers.requests} == {"/bucket/prefix/_lota.check"}


async def test_writes_carry_their_digest() -> None:
    """The service is given a checksum of what it is to store, and a signature over its sha256."""
    async with answering(accept) as answers:
        await bucket_at(answers.port, **KEYS).put("name", 1, one_chunk())

    (request,) = answers.requests
    assert request.headers["x-amz-checksum-crc64nvme"] == CHECKSUM_OF_X
    assert request.headers["x-amz-content-sha256"] == sha256(b"x").hexdigest()
    assert request.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=key-id/")
    assert request.headers["x-amz-security-token"] == "canary-token"


async def test_without_keys_nothing_is_signed() -> None:
    """A credential that is an endpoint alone makes requests of nobody in particular."""
    async with answering(accept) as answers:
        await bucket_at(answers.port).put("name", 1, one_chunk())

    assert "authorization" not in answers.requests[0].headers
    assert "x-amz-security-token" not in answers.requests[0].headers


async def test_nothing_is_published_by_a_service_that_forgets(tmp_path: Path) -> None:
    """A service that says yes to all and holds nothing does not pass verification."""

    def forget(request: Request) -> bytes:
        return accept(request) if request.method == "PUT" else refusal(404, "NoSuchKey")

    async with answering(forget) as answers:
        credential = KEYS | {"endpoint": f"http://127.0.0.1:{answers.port}"}
        publisher = S3Publisher("bucket", credential, Workplace(tmp_path))
        location = await publisher.publish(SMALL, "job/0", cid=SMALL_CID)
        with pytest.raises(PublishError) as caught:
            await publisher.verify(location)

    assert caught.value.code == "missing"
