"""What clients are told of targets before a job runs is what the drivers make of them after it."""

from pathlib import Path

import pytest

from events.client.gateway import prepare
from events.errors import InvalidSpec, PublishError
from events.spec import JobSpec, PublisherSpec
from events.targets import TARGETS, wrong_target
from publishers import names, open_publisher
from publishers.port import Workplace

CREDENTIAL = {
    "url": "http://127.0.0.1:9",
    "token": "ESTsomebodyARY",
    "miner": "f01000",
    "price": "0",
    "duration": "518400",
}
WRITTEN = (
    *("", "/", "a", "/srv/results", "srv/results", "../x", "with blanks", "with\nlines", "ünïcode"),
    *("s3://results", "s3://results/", "s3://results//", "results/runs/2026", "s3://results/a//b"),
    *("s3://", "s3:///a", "s3://Results", "s3://results/..", "s3://results/.hidden", "results/a b"),
    *("s3://results/./a", "s3://results/a?b", "s3://host:9000/a", "https://host/bucket", "a" * 64),
    *("nats://", "nats://lab", "nats://lab/x", "lab_1-x", "lab.x", "a" * 65, "s3://" + "b" * 63),
    *("-a", "_a", ".a", "a" * 200, "a" * 201, "s3://b.c-d/e!_.*'()-/f", "s3://results/a/."),
)


@pytest.mark.parametrize("driver", names())
async def test_a_target_is_told_of_before_as_after(driver: str, tmp_path: Path) -> None:
    """A client accepts exactly the targets with which a node can open the driver."""
    for target in WRITTEN:
        if (driver, target) == ("local", ""):
            continue  # the node gives the driver its own folder then
        try:
            opened = open_publisher(driver, target, CREDENTIAL, Workplace(tmp_path))
        except PublishError as error:
            refused = error.code == "bad-target"
        else:
            refused = False
            await opened.close()

        assert bool(wrong_target(driver, target)) == refused, target


def test_every_driver_has_its_targets() -> None:
    """No driver is forgotten: what is not known here would be found out too late."""
    assert tuple(sorted(TARGETS)) == names()


async def test_a_job_with_a_target_that_cannot_be_used_is_not_submitted() -> None:
    """The error names the field."""
    publishers = (PublisherSpec("local"), PublisherSpec("nats", target="lab.x"))
    spec = JobSpec(engine="noop", verifier="none", publishers=publishers)
    with pytest.raises(InvalidSpec, match="cannot use") as refused:
        await prepare(spec)

    assert refused.value.path == "$.publishers[1].target"
