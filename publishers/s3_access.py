"""Where a bucket is and as whom we come: the job's target, the operator's credential, the client.

Nothing ambient is used: neither keys from the environment or from files, nor the machine's own
identity. A node that holds no credential for a job has none.
"""

import atexit
import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from obstore.store import S3Store

from events.errors import PublishError
from publishers.client_threads import let_threads_finish

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 60.0
"""For one request with its body, which has at most one part."""

RETRIES = 4
RETRY_FOR_S = 30.0
"""No request is repeated after this; a refused connection is told within some two seconds."""

DEFAULT_REGION = "us-east-1"

Checksum = Literal["crc64nvme", "sha256"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_SEGMENT = re.compile(r"[A-Za-z0-9!_.*'()-]+")

_hiding = threading.Lock()

atexit.register(let_threads_finish)


class S3Place(NamedTuple):
    """A bucket, and the prefix in it: empty, or with a slash at its end."""

    bucket: str
    prefix: str

    @classmethod
    def named(cls, target: str) -> Self:
        """Return what `s3://bucket/prefix`, or without the scheme, names.

        Raises `PublishError` for anything else: above all, a target names no host.
        """
        bucket, _, prefix = target.removeprefix("s3://").partition("/")
        prefix = prefix.rstrip("/")
        segments = prefix.split("/") if prefix else []
        plain = all(_SEGMENT.fullmatch(one) and one not in {".", ".."} for one in segments)
        if not plain or not _BUCKET.fullmatch(bucket):
            raise PublishError(
                "bad-target",
                f"the publisher 's3' cannot use {target!r}",
                permanent=True,
                hint="Give s3://bucket/prefix in plain characters; the credential says where it is",
            )
        return cls(bucket, f"{prefix}/" if prefix else "")


class S3Access(NamedTuple):
    """Where the service is (None: AWS) and the keys to it; with no key requests are not signed."""

    region: str
    endpoint: str | None
    access_key_id: str | None
    secret_access_key: str | None
    session_token: str | None

    @classmethod
    def given(cls, credential: Mapping[str, str]) -> Self:
        """Return what a credential says; raise `PublishError` naming a field that it lacks."""
        fields = {name: credential.get(name) or None for name in cls._fields}
        key, secret = fields["access_key_id"], fields["secret_access_key"]
        if not any(fields.values()):
            raise _lacking("access_key_id' and 'secret_access_key', or 'endpoint")
        if not key and (secret or fields["session_token"]):
            raise _lacking("access_key_id")
        if key and not secret:
            raise _lacking("secret_access_key")
        endpoint = _endpoint(fields["endpoint"])
        region = fields["region"] or DEFAULT_REGION
        return cls(region, endpoint, key, secret, fields["session_token"])


def open_bucket(bucket: str, access: S3Access, checksum: Checksum) -> S3Store:
    """Make a client that sends checksums of one kind, without touching the service."""
    # Buckets of AWS are hosts of their own, but its certificate covers no name with more dots.
    host = access.endpoint is None and "." not in bucket
    config: S3Config = {
        "region": access.region,
        "virtual_hosted_style_request": host,
        "checksum_algorithm": checksum,
        "conditional_put": "etag",
        "skip_signature": access.access_key_id is None,
    }
    if access.endpoint is not None:
        config["endpoint"] = access.endpoint
    if access.access_key_id is not None and access.secret_access_key is not None:
        config["access_key_id"] = access.access_key_id
        config["secret_access_key"] = access.secret_access_key
        if access.session_token is not None:
            config["session_token"] = access.session_token
    with _nothing_ambient():
        return S3Store(
            bucket,
            config=config,
            client_options={
                "allow_http": (access.endpoint or "").startswith("http://"),
                "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT_S),
                "timeout": timedelta(seconds=REQUEST_TIMEOUT_S),
                "user_agent": "lota",
            },
            retry_config={
                "max_retries": RETRIES,
                "retry_timeout": timedelta(seconds=RETRY_FOR_S),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=200),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )


def _lacking(field: str) -> PublishError:
    return PublishError(
        "credential",
        f"the credential for the publisher 's3' has no field '{field}'",
        permanent=True,
        hint="Give the node that field, as LOTA_CRED_<NAME>_<FIELD> or as a file",
    )


def _endpoint(url: str | None) -> str | None:
    """Return the address without a closing slash; what is none is not shown: it may be a secret."""
    if url is None:
        return None
    with suppress(ValueError):
        parts = urlsplit(url)
        bare = parts.username is None and not (parts.query or parts.fragment)
        if parts.scheme in {"http", "https"} and parts.hostname and bare and parts.port != 0:
            return url.rstrip("/")
    raise PublishError(
        "credential",
        "the field 'endpoint' of the credential for the publisher 's3' is no address",
        permanent=True,
        hint="Give http(s)://host[:port], and keys in fields of their own",
    )


@contextmanager
def _nothing_ambient() -> Iterator[None]:
    """Hide every AWS_* variable while a client is made, which reads them all, and only then.

    It would take keys, proxies and headers from there, and let AWS_ENDPOINT_URL_S3 win over the
    endpoint that it is given: a job's bytes would go where no credential says. What changes is
    what foreign code sees, not `os.environ`: Python's other threads read on in peace.
    """
    with _hiding:
        hidden = {key: text for key, text in os.environ.items() if key.upper().startswith("AWS_")}
        try:
            for key in hidden:
                os.unsetenv(key)
            yield
        finally:
            for key, text in hidden.items():
                os.putenv(key, text)
