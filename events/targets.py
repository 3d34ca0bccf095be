"""What a job may say about where its publishers put results, as far as a client can tell.

Each driver reads its target itself, and refuses the same. But it does so once there is a result,
and a job with a slip in its target would run for nothing. It is no rule of the log: drivers may
come to take other targets, and what was submitted before stays as good as it was.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from events.errors import InvalidSpec
from events.spec import JobSpec


class Target(NamedTuple):
    """The shape of a driver's targets, and what to write instead of one that has another."""

    shape: re.Pattern[str]
    hint: str


_NONE = Target(re.compile(""), "leave it out: where the service is stands in the credential")

TARGETS: Mapping[str, Target] = {
    "estuary": Target(
        re.compile(r"(\w[\w .-]{0,199})?"),
        "leave it out, or name a collection by letters, digits, blanks, '.', '-', '_'",
    ),
    "ipfs": _NONE,
    "local": Target(re.compile("(/.*)?", re.DOTALL), "leave it out, or give an absolute folder"),
    "lotus": _NONE,
    "nats": Target(
        re.compile("(nats://)?[A-Za-z0-9_-]{0,64}"),
        "leave it out, or name a bucket by letters, digits, '_' and '-'",
    ),
    "s3": Target(
        re.compile(
            r"(s3://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/(?!\.{1,2}(/|\Z))[A-Za-z0-9!_.*'()-]+)*/*"
        ),
        "give s3://bucket/prefix in plain characters; the credential says where the service is",
    ),
    "web3storage": _NONE,
}


def wrong_target(driver: str, target: str) -> str:
    """Return what to write instead of a target that a driver cannot use, "" for one that it can."""
    known = TARGETS.get(driver)
    return "" if known is None or known.shape.fullmatch(target) else known.hint


def check_targets(spec: JobSpec) -> None:
    """Raise InvalidSpec for a target that its publisher cannot use."""
    for index, publisher in enumerate(spec.publishers):
        if instead := wrong_target(publisher.driver, publisher.target):
            what = f"is {publisher.target!r}, which the publisher {publisher.driver!r} cannot use"
            raise InvalidSpec(f"$.publishers[{index}].target", what, hint=instead)
