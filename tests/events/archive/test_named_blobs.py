"""Which blobs an event names."""

from typing import Any

from events import codec
from events.archive.named_blobs import named_blobs
from events.cid import raw_cid
from events.decisions import JobCompleted, JobCompletedData
from events.items import Listing, Manifest
from events.requests import JobSubmitted, JobSubmittedData
from events.spec import JobSpec

ONE, OTHER = raw_cid(b"one"), raw_cid(b"other")
ENVELOPE: dict[str, Any] = {
    "id": "x",
    "source": "s",
    "subject": "a",
    "time": "t",
    "causationid": "x",
}


def submitted(spec: JobSpec, *listings: Listing) -> bytes:
    """Return the stored bytes of a submission."""
    data = JobSubmittedData(spec=spec, digest="d", inputs=listings)
    return codec.encode(JobSubmitted(**ENVELOPE, data=data))


def test_listings_and_manifests_are_found() -> None:
    """What is too large for an event is named in it, once for each input."""
    listings = [
        Listing(source="file:///in", digest="d", count=9, size_bytes=9, blob=cid)
        for cid in (ONE, OTHER)
    ]
    assert named_blobs(submitted(JobSpec(engine="noop"), *listings)) == [ONE, OTHER]
    data = JobCompletedData(
        seen=1,
        seal="",
        policy="p",
        root_cid=OTHER,
        dag_size_bytes=1,
        manifest=Manifest(count=1, blob=ONE),
    )
    assert named_blobs(codec.encode(JobCompleted(**ENVELOPE, data=data))) == [ONE]


def test_a_label_of_that_name_is_none() -> None:
    """What a user calls a blob is not one."""
    spec = JobSpec(engine="noop", labels={"blob": ONE}, env={"root_blob": OTHER})
    assert named_blobs(submitted(spec)) == []


def test_what_is_no_event_names_nothing() -> None:
    """Bytes that look like it and do not decode are passed over."""
    assert named_blobs(b'{"blob":"b"}') == []
    assert named_blobs(b"\xff") == []
