"""The jobs that clients ask for, and what they truly come to."""

from functools import lru_cache
from hashlib import sha256
from random import Random

from events.cid import raw_cid
from events.items import Claim, Listing
from events.spec import Deal, Input, JobSpec, PublisherSpec, Sharding, normal
from tests.simulation.services import FREE, LINKED, PAID

PUBLISHERS: tuple[tuple[tuple[str, ...], str | int], ...] = (
    ((), "all"),
    ((), "all"),
    ((FREE,), "all"),
    ((FREE,), "all"),
    ((PAID,), "all"),
    ((FREE, PAID), "all"),
    ((FREE, PAID), "any"),
    ((LINKED,), "all"),
    ((FREE, LINKED), "all"),
    ((LINKED, FREE), "any"),
)
DEALS = ((1, 1), (1, 1), (2, 2), (3, 2), (3, 2), (3, 3), (4, 3))
POSSIBLE = 0.98
USER_ERRORS = 0.03


@lru_cache(maxsize=4096)
def truth(job: str, shard: int) -> Claim:
    """Return what a shard comes to on every honest node."""
    name = f"{job}/{shard}".encode()
    exit_code = 3 if sha256(name).digest()[0] < 256 * USER_ERRORS else 0
    return Claim(raw_cid(name), 100 + shard, exit_code)


def inputs_of(spec: JobSpec) -> tuple[Listing | None, ...]:
    """Return what listing the remote inputs of a job comes to."""
    return tuple(Listing(entry.source, 3, 30, "d" * 64) for entry in spec.inputs)


def draw_spec(chance: Random, nodes: int, payers: int) -> JobSpec:
    """Draw a job: mostly small, and nearly always one that so many nodes can run and publish."""
    replicas, confidence = chance.choice(DEALS)
    drivers, publish = chance.choice(PUBLISHERS)
    able = payers if PAID in drivers and publish == "all" else nodes
    if chance.random() < POSSIBLE:
        replicas, confidence = min(replicas, able or 1), min(confidence, able or 1)
        drivers = drivers if able else ()
    shards = 1 if chance.random() < 0.6 else chance.randint(2, chance.choice((4, 12, 40)))
    remote = chance.random() < 0.1
    spec = JobSpec(
        engine="noop",
        inputs=(Input("s3://bucket/data"),) if remote else (),
        sharding=Sharding(size=1) if remote else Sharding(count=shards),
        deal=Deal(replicas, confidence, chance.choice((1, 1, 2))),
        verifier="none" if replicas == 1 and chance.random() < 0.6 else "deterministic",
        publishers=tuple(PublisherSpec(driver) for driver in drivers),
        publish=publish,
        timeout="10s",
        deadline=f"{chance.choice((60, 90, 180))}s",
    )
    return normal(spec, publishers=dict.fromkeys((FREE, LINKED, PAID), False))
