"""The job spec: what a user writes, its normal form, and what is refused.

Every field but `engine` and what that engine needs has a default. `normal` fills the defaults that
depend on other fields and refuses what could never run, so that everything behind the gateway sees
one form only.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from events.errors import InvalidSpec
from events.units import duration_ms, size_bytes

SHARDS_MAX = 100_000
REPLICAS_MAX = 100
SPEC_BYTES_MAX = 128 * 1024
INPUTS_MAX = 100
DURATION_MS_MAX = 30 * 24 * 3600 * 1000

CREDENTIAL_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
"""What a credential may be called: it becomes part of a variable's name and of a path."""
_LOGIN_IN_URL = re.compile(r"://.*@")

Engine = Literal["process", "docker", "wasm", "noop"]
ENGINES_READY: tuple[Engine, ...] = ("process", "docker", "noop")

PUBLISHERS: Mapping[str, bool] = {
    "estuary": True,
    "ipfs": True,
    "local": False,
    "lotus": True,
    "nats": False,
    "s3": True,
    "web3storage": True,
}
"""The drivers that publish, and whether a job must name a credential: it need not where the place
is part of the network itself."""


class _Section(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The base of the spec and its parts: unknown fields are refused with their path."""


class Input(_Section, frozen=True):
    """A source, and where it appears below `inputs/` (its base name by default).

    A context input is given whole to every shard; the others are what is sharded.
    """

    source: str
    dest: str = ""
    context: bool = False


class Sharding(_Section, frozen=True):
    """Cut the sorted files that match `glob` by `size` files a shard or into `count` slices.

    A glob alone means one file a shard; without inputs, `count` makes that many empty shards.
    """

    glob: str = ""
    size: int = 0
    count: int = 0


class Deal(_Section, frozen=True):
    """Executions per shard, how many must agree (0: all of them), and bids to wait for."""

    replicas: int = 1
    confidence: int = 0
    min_bids: int = 1


class PublisherSpec(_Section, frozen=True):
    """A driver, its target, and the name (never the value) of the credential it uses."""

    driver: str
    target: str = ""
    credential: str = ""


class Resources(_Section, frozen=True):
    """What one execution may use; cpu in cores, gpu in devices, memory 0 for no limit."""

    cpu: float = 1.0
    memory: str = "0"
    disk: str = "1Gi"
    gpu: int = 0


class JobSpec(_Section, frozen=True):
    """What is to be run, on what, how often, how it is verified and where it goes."""

    engine: Engine
    name: str = ""
    labels: dict[str, str] = {}
    image: str = ""
    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    inputs: tuple[Input, ...] = ()
    sharding: Sharding = Sharding()
    deal: Deal = Deal()
    verifier: Literal["", "none", "deterministic"] = ""
    publishers: tuple[PublisherSpec, ...] = ()
    publish: str | int = "all"
    resources: Resources = Resources()
    timeout: str = "30m"
    deadline: str = "24h"
    network: Literal["none"] = "none"

    @property
    def timeout_ms(self) -> int:
        """The time limit of one execution."""
        return duration_ms(self.timeout)

    @property
    def deadline_ms(self) -> int:
        """The time limit of the whole job."""
        return duration_ms(self.deadline)

    @property
    def fused(self) -> bool:
        """One replica, unverified: running, publishing and verdict are one step."""
        return self.verifier == "none" and self.deal.replicas == 1

    @property
    def slots_needed(self) -> int:
        """How many of the publishers must succeed."""
        if self.publish == "all":
            return len(self.publishers)
        wanted = 1 if self.publish == "any" else int(self.publish)
        return min(wanted, len(self.publishers))


def normal(spec: JobSpec, *, publishers: Mapping[str, bool]) -> JobSpec:
    """Return the spec in normal form.

    `publishers` are the drivers that exist, and whether a job must name a credential for each.

    Raises InvalidSpec with the field's path, what was wrong and what to do.
    """
    _check_engine(spec)
    _check_sharding(spec)
    deal = _normal_deal(spec.deal)
    _check_publishers(spec, publishers)
    _check_units(spec)
    _check_inputs(spec)
    verifier = spec.verifier or ("deterministic" if deal.replicas > 1 else "none")
    if verifier == "none" and deal.replicas > 1:
        raise InvalidSpec(
            "$.verifier",
            "'none' with more than one replica would accept any of several results",
            hint="use deterministic, or one replica",
        )
    # Whole numbers too: what is stored and read again must have the digest that was submitted.
    resources = msgspec.structs.replace(spec.resources, cpu=float(spec.resources.cpu))
    result = msgspec.structs.replace(spec, deal=deal, verifier=verifier, resources=resources)
    try:
        size = len(msgspec.json.encode(result))
    except UnicodeEncodeError:
        raise InvalidSpec("$", "holds text that is not Unicode", hint="write it in UTF-8") from None
    if size > SPEC_BYTES_MAX:
        raise InvalidSpec(
            "$", f"the spec takes {size:,} bytes", hint=f"the limit is {SPEC_BYTES_MAX:,}"
        )
    return result


def check_stored(spec: JobSpec) -> None:
    """Raise InvalidSpec unless deciding can count with a stored spec: its times, sizes and numbers.

    Whoever can write to the log can store anything, and no spec may stop who folds it. What engines
    and publishers there are is not looked at: other versions have others.
    """
    _check_sharding(spec)
    _normal_deal(spec.deal)
    _check_units(spec)
    if isinstance(spec.publish, str) and spec.publish not in ("all", "any"):
        raise InvalidSpec("$.publish", f"is {spec.publish!r}", hint="use all, any or a number")


def digest(spec: JobSpec) -> str:
    """Return the sha256 of the canonical spec, as lower-case hex."""
    return hashlib.sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()


def _check_engine(spec: JobSpec) -> None:
    if spec.engine not in ENGINES_READY:
        raise InvalidSpec(
            "$.engine",
            f"{spec.engine!r} is not available in this version",
            hint=f"use one of {', '.join(ENGINES_READY)}",
        )
    if spec.engine == "process" and not spec.command:
        raise InvalidSpec("$.command", "is empty", hint="give the command to run, as a list")
    if spec.engine == "docker" and not spec.image:
        raise InvalidSpec("$.image", "is empty", hint="the docker engine needs an image")
    if spec.image and spec.engine != "docker":
        raise InvalidSpec(
            "$.image", f"means nothing to engine {spec.engine!r}", hint="leave it out"
        )
    for index, word in enumerate(spec.command):
        if "\0" in word:
            raise InvalidSpec(f"$.command[{index}]", "holds a NUL byte", hint="remove it")
    for name, value in spec.env.items():
        if not name or "=" in name or "\0" in name + value:
            raise InvalidSpec(
                f"$.env[{name!r}]", "is no environment variable", hint="use NAME: value"
            )
        if name.startswith("LOTA_"):
            raise InvalidSpec(f"$.env[{name!r}]", "is Lota's own", hint="use another prefix")


def _check_sharding(spec: JobSpec) -> None:
    sharding = spec.sharding
    if sharding.size < 0 or sharding.count < 0:
        raise InvalidSpec("$.sharding", "size and count are 0 or more", hint="0 leaves them out")
    if sharding.size and sharding.count:
        raise InvalidSpec(
            "$.sharding", "size and count exclude each other", hint="give one of them"
        )
    if sharding.count > SHARDS_MAX:
        raise InvalidSpec(
            "$.sharding.count", f"is {sharding.count:,}", hint=f"the limit is {SHARDS_MAX:,} shards"
        )
    sharded = [entry for entry in spec.inputs if not entry.context]
    if (sharding.glob or sharding.size) and not sharded:
        raise InvalidSpec(
            "$.sharding",
            "glob and size need an input to shard",
            hint="add an input that is not a context input, or use count",
        )


def _normal_deal(deal: Deal) -> Deal:
    if not 1 <= deal.replicas <= REPLICAS_MAX:
        raise InvalidSpec(
            "$.deal.replicas", f"is {deal.replicas}", hint=f"it is 1 to {REPLICAS_MAX}"
        )
    if not 0 <= deal.confidence <= deal.replicas:
        raise InvalidSpec(
            "$.deal.confidence",
            f"is {deal.confidence} with {deal.replicas} replica(s)",
            hint="at most as many can agree as run; lower it or raise replicas",
        )
    if not 1 <= deal.min_bids <= REPLICAS_MAX:
        raise InvalidSpec(
            "$.deal.min_bids", f"is {deal.min_bids}", hint=f"it is 1 to {REPLICAS_MAX}"
        )
    return msgspec.structs.replace(deal, confidence=deal.confidence or deal.replicas)


def _check_publishers(spec: JobSpec, known: Mapping[str, bool]) -> None:
    for index, publisher in enumerate(spec.publishers):
        path = f"$.publishers[{index}]"
        if publisher.driver not in known:
            raise InvalidSpec(
                f"{path}.driver",
                f"{publisher.driver!r} is not a publisher",
                hint=f"use one of {', '.join(sorted(known))}",
            )
        if known[publisher.driver] and not publisher.credential:
            raise InvalidSpec(
                f"{path}.credential",
                f"is missing, and {publisher.driver!r} publishes with one",
                hint="name a credential of the nodes; lota node ls -o json shows their names",
            )
        if publisher.credential and not CREDENTIAL_NAME.fullmatch(publisher.credential):
            # Not quoted: whoever mistakes the value for the name must not find it in a log.
            raise InvalidSpec(
                f"{path}.credential",
                "is no name of a credential",
                hint="a name has up to 40 characters of a-z, 0-9 and -; never give the value",
            )
        if _LOGIN_IN_URL.search(publisher.target):
            raise InvalidSpec(
                f"{path}.target",
                "holds a login, and the log is no place for one",
                hint="put it into the credential that the job names",
            )
    publish = spec.publish
    if isinstance(publish, str):
        if publish not in ("all", "any"):
            raise InvalidSpec("$.publish", f"is {publish!r}", hint="use all, any or a number")
    elif not 1 <= publish <= max(1, len(spec.publishers)):
        raise InvalidSpec(
            "$.publish",
            f"is {publish} of {len(spec.publishers)} publisher(s)",
            hint="ask for no more copies than there are publishers",
        )


def _check_units(spec: JobSpec) -> None:
    for path, text in (("$.timeout", spec.timeout), ("$.deadline", spec.deadline)):
        try:
            value = duration_ms(text)
        except ValueError as error:
            raise InvalidSpec(path, str(error), hint="the units are ms, s, m, h and d") from None
        if not 1 <= value <= DURATION_MS_MAX:
            raise InvalidSpec(path, f"is {text!r}", hint="it is more than nothing, at most 30d")
    for path, text in (
        ("$.resources.memory", spec.resources.memory),
        ("$.resources.disk", spec.resources.disk),
    ):
        try:
            size_bytes(text)
        except ValueError as error:
            raise InvalidSpec(path, str(error), hint="the units are Ki to Ti and K to T") from None
    if not 0 < spec.resources.cpu < math.inf:
        raise InvalidSpec("$.resources.cpu", f"is {spec.resources.cpu}", hint="it is above 0")
    if spec.resources.gpu < 0:
        raise InvalidSpec("$.resources.gpu", f"is {spec.resources.gpu}", hint="it is 0 or more")


def _check_inputs(spec: JobSpec) -> None:
    if len(spec.inputs) > INPUTS_MAX:
        raise InvalidSpec(
            "$.inputs", f"are {len(spec.inputs):,}", hint=f"the limit is {INPUTS_MAX}; name folders"
        )
    dests: list[str] = []
    for index, entry in enumerate(spec.inputs):
        path = f"$.inputs[{index}]"
        if "://" not in entry.source:
            raise InvalidSpec(
                f"{path}.source", f"{entry.source!r} has no scheme", hint="file:///..."
            )
        odd = {"", ".", ".."}.intersection(entry.dest.split("/"))
        if (entry.dest and odd) or "\0" in entry.dest:
            raise InvalidSpec(
                f"{path}.dest",
                f"{entry.dest!r} is no path below inputs/",
                hint="write it like data or data/2026",
            )
        for other in dests:
            if f"{entry.dest}/".startswith(f"{other}/") or other.startswith(f"{entry.dest}/"):
                raise InvalidSpec(
                    f"{path}.dest",
                    f"{entry.dest!r} and {other!r} are the same place or one inside the other",
                    hint="give each input a DEST of its own",
                )
        dests.append(entry.dest)
