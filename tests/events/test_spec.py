"""What a person may write as a spec, its normal form, and what is refused."""

import hashlib
import json
from typing import Any

import msgspec
import pytest

from events.errors import InvalidSpec
from events.spec import (
    INPUTS_MAX,
    SHARDS_MAX,
    SPEC_BYTES_MAX,
    Deal,
    JobSpec,
    PublisherSpec,
    Resources,
    digest,
    normal,
)
from events.spec_reader import read_spec

KNOWN = {"local": False, "s3": True}


def spec(**fields: Any) -> dict[str, Any]:
    return {"engine": "process", "command": ["true"], **fields}


def one_input(**fields: Any) -> dict[str, Any]:
    return spec(inputs=[{"source": "file:///data", "dest": "data", **fields}])


UNREADABLE: list[tuple[object, str]] = [
    ([], "$"),
    ("engine: noop", "$"),
    (None, "$"),
    ({}, "$.engine"),
    (spec(engin="noop"), "$.engin"),
    (spec(engine="dokcer"), "$.engine"),
    (spec(engine=3), "$.engine"),
    (spec(engine=None), "$.engine"),
    ({1: 2}, "$"),
    (spec(command="echo hi"), "$.command"),
    (spec(command={"run": "echo"}), "$.command"),
    (spec(command=["sleep", 0.5]), "$.command[1]"),
    (spec(command=["sleep", ["5"]]), "$.command[1]"),
    (spec(env=["A=1"]), "$.env"),
    (spec(env={"A": True}), "$.env['A']"),
    (spec(env={"A": 3.10}), "$.env['A']"),
    (spec(env={"A": None}), "$.env['A']"),
    (spec(env={"A": {"B": "c"}}), "$.env['A']"),
    (spec(labels="a=b"), "$.labels"),
    (spec(name=["a"]), "$.name"),
    (spec(inputs="file:///data"), "$.inputs"),
    (spec(inputs=["file:///data"]), "$.inputs[0]"),
    (spec(inputs=[{"dest": "data"}]), "$.inputs[0].source"),
    (one_input(sorce="x"), "$.inputs[0].sorce"),
    (one_input(context="yes"), "$.inputs[0].context"),
    (spec(sharding={"pattern": "*"}), "$.sharding.pattern"),
    (spec(sharding={"size": 1.5}), "$.sharding.size"),
    (spec(deal={"replica": 2}), "$.deal.replica"),
    (spec(deal={"replicas": "two"}), "$.deal.replicas"),
    (spec(deal=3), "$.deal"),
    (spec(verifier="determinstic"), "$.verifier"),
    (spec(publishers=["local"]), "$.publishers[0]"),
    (spec(publishers=[{"driver": "local", "secret": "x"}]), "$.publishers[0].secret"),
    (spec(publish=1.5), "$.publish"),
    (spec(publish=True), "$.publish"),
    (spec(resources={"memory": True}), "$.resources.memory"),
    (spec(resources={"cpu": "two"}), "$.resources.cpu"),
    (spec(timeout=True), "$.timeout"),
    (spec(timeout=None), "$.timeout"),
    (spec(timeout=[90]), "$.timeout"),
    (spec(network="full"), "$.network"),
]

UNRUNNABLE: list[tuple[dict[str, Any], str]] = [
    ({"engine": "process"}, "$.command"),
    ({"engine": "docker"}, "$.image"),
    ({"engine": "wasm"}, "$.engine"),
    (spec(image="busybox"), "$.image"),
    (spec(command=["a", "b\0c"]), "$.command[1]"),
    (spec(env={"A=B": "c"}), "$.env['A=B']"),
    (spec(env={"": "c"}), "$.env['']"),
    (spec(env={"A": "\0"}), "$.env['A']"),
    (spec(env={"LOTA_SHARD": "1"}), "$.env['LOTA_SHARD']"),
    (spec(sharding={"size": -1}), "$.sharding"),
    (spec(sharding={"size": 2, "count": 2}), "$.sharding"),
    (spec(sharding={"count": SHARDS_MAX + 1}), "$.sharding.count"),
    (spec(sharding={"glob": "*"}), "$.sharding"),
    ({**one_input(context=True), "sharding": {"size": 2}}, "$.sharding"),
    (spec(deal={"replicas": 0}), "$.deal.replicas"),
    (spec(deal={"replicas": 101}), "$.deal.replicas"),
    (spec(deal={"replicas": 2, "confidence": 3}), "$.deal.confidence"),
    (spec(deal={"confidence": -1}), "$.deal.confidence"),
    (spec(deal={"min_bids": 0}), "$.deal.min_bids"),
    (spec(verifier="none", deal={"replicas": 2}), "$.verifier"),
    (spec(publishers=[{"driver": "locl"}]), "$.publishers[0].driver"),
    (spec(publishers=[{"driver": "s3"}]), "$.publishers[0].credential"),
    (spec(publishers=[{"driver": "s3", "credential": "My_Lab"}]), "$.publishers[0].credential"),
    (spec(publishers=[{"driver": "local", "credential": "../x"}]), "$.publishers[0].credential"),
    (
        spec(publishers=[{"driver": "s3", "credential": "lab", "target": "https://u:p@h/x"}]),
        "$.publishers[0].target",
    ),
    (spec(publish="some"), "$.publish"),
    (spec(publish=2, publishers=[{"driver": "local"}]), "$.publish"),
    (spec(publish=0, publishers=[{"driver": "local"}]), "$.publish"),
    (spec(timeout="soon"), "$.timeout"),
    (spec(timeout=0), "$.timeout"),
    (spec(deadline="31d"), "$.deadline"),
    (spec(resources={"memory": "much"}), "$.resources.memory"),
    (spec(resources={"disk": "-1"}), "$.resources.disk"),
    (spec(resources={"cpu": 0}), "$.resources.cpu"),
    (spec(resources={"cpu": float("nan")}), "$.resources.cpu"),
    (spec(resources={"cpu": float("inf")}), "$.resources.cpu"),
    (spec(resources={"gpu": -1}), "$.resources.gpu"),
    (one_input(source="/data"), "$.inputs[0].source"),
    (one_input(dest="/data"), "$.inputs[0].dest"),
    (one_input(dest="a/../b"), "$.inputs[0].dest"),
    (one_input(dest="a//b"), "$.inputs[0].dest"),
    (one_input(dest="./a"), "$.inputs[0].dest"),
    (one_input(dest="a\0"), "$.inputs[0].dest"),
    (spec(inputs=[{"source": "s3://a", "dest": d} for d in ("x", "x")]), "$.inputs[1].dest"),
    (spec(inputs=[{"source": "s3://a", "dest": d} for d in ("x", "x/y")]), "$.inputs[1].dest"),
    (spec(inputs=[{"source": "s3://a", "dest": d} for d in ("x/y", "x")]), "$.inputs[1].dest"),
    (spec(inputs=[{"source": "s3://a", "dest": f"{d}"} for d in range(101)]), "$.inputs"),
    (spec(name="x" * SPEC_BYTES_MAX), "$"),
    (spec(name="\ud800"), "$"),
]


@pytest.mark.parametrize(("document", "path"), UNREADABLE)
def test_unreadable(document: object, path: str) -> None:
    """A field that is unknown, missing or of a wrong type is refused with path and hint."""
    with pytest.raises(InvalidSpec) as caught:
        read_spec(document)

    assert caught.value.path == path
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.hint


@pytest.mark.parametrize(("document", "path"), UNRUNNABLE)
def test_unrunnable(document: dict[str, Any], path: str) -> None:
    """A spec that reads well but could never run is refused with path and hint."""
    with pytest.raises(InvalidSpec) as caught:
        normal(read_spec(document), publishers=KNOWN)

    assert caught.value.path == path
    assert caught.value.hint


@pytest.mark.parametrize(
    ("document", "hint"),
    [
        (spec(engin="noop"), "did you mean engine?"),
        (spec(deal={"replica": 2}), "did you mean replicas?"),
        (spec(engine="dokcer"), "did you mean docker?"),
        (spec(command="echo hi"), 'write it as a list: ["echo", "hi"]'),
        (spec(env={"A": 3.10}), 'write it in quotes: "3.1"'),
        (spec(publishers=["local"]), "write it like {driver: local}"),
        (spec(deal={"colour": 2}), "use one of confidence, min_bids, replicas"),
    ],
)
def test_hints(document: object, hint: str) -> None:
    """A hint says the very thing to write."""
    with pytest.raises(InvalidSpec) as caught:
        read_spec(document)

    assert caught.value.hint == hint


def test_numbers_for_text() -> None:
    """Whole numbers stand for text; for durations and sizes fractions do as well."""
    found = read_spec(
        spec(
            name=2026,
            command=["sleep", 5],
            env={"PORT": 8080, 1: "one"},
            labels={"year": 2026},
            timeout=90,
            deadline=1.5,
            resources={"memory": 1048576, "disk": "1Gi", "cpu": 2},
        )
    )

    assert (found.name, found.command, found.labels) == ("2026", ("sleep", "5"), {"year": "2026"})
    assert found.env == {"PORT": "8080", "1": "one"}
    assert (found.timeout_ms, found.deadline_ms) == (90_000, 1500)
    assert (found.resources.memory, found.resources.cpu) == ("1048576", 2.0)


def test_reading_leaves_the_document_alone() -> None:
    """The document that was read is not changed by it."""
    document = spec(timeout=90, env={"A": 1}, resources={"memory": 5})
    before = json.dumps(document)

    read_spec(document)

    assert json.dumps(document) == before


def test_defaults() -> None:
    """A spec needs an engine and what the engine needs, nothing else."""
    found = normal(read_spec(spec()), publishers=KNOWN)

    assert found.verifier == "none"
    assert found.deal == Deal(replicas=1, confidence=1, min_bids=1)
    assert (found.timeout_ms, found.deadline_ms) == (1_800_000, 86_400_000)
    assert (found.publish, found.publishers, found.network) == ("all", (), "none")
    assert found.fused


@pytest.mark.parametrize("engine", ["noop", "process"])
def test_replicas_are_verified(engine: str) -> None:
    """With several replicas the verifier is deterministic and all have to agree by default."""
    found = normal(read_spec(spec(engine=engine, deal={"replicas": 3})), publishers=KNOWN)

    assert (found.verifier, found.deal.confidence) == ("deterministic", 3)
    assert not found.fused


def test_normal_is_stable() -> None:
    """The normal form of a normal form is itself, so that a repeat has the same digest."""
    once = normal(read_spec(spec(deal={"replicas": 2})), publishers=KNOWN)
    twice = normal(once, publishers=KNOWN)

    assert (twice, digest(twice)) == (once, digest(once))


def test_digest() -> None:
    """The digest is the sha256 of canonical JSON, whatever the order of what was written."""
    found = read_spec({"env": {"B": "2", "A": "1"}, "command": ["é"], "engine": "process"})
    document = json.loads(msgspec.json.encode(found))
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    assert digest(found) == hashlib.sha256(text.encode()).hexdigest()
    assert digest(found) == digest(
        read_spec({"engine": "process", "command": ["é"], "env": {"A": "1", "B": "2"}})
    )


def test_a_digest_outlives_being_stored() -> None:
    """A spec that is stored and read again has the digest that it was submitted with."""
    plain = normal(JobSpec(engine="noop", resources=Resources(cpu=2)), publishers={})
    stored = msgspec.json.decode(msgspec.json.encode(plain), type=JobSpec)
    assert digest(stored) == digest(plain)


@pytest.mark.parametrize(
    ("publish", "publishers", "needed"),
    [("all", 3, 3), ("any", 3, 1), (2, 3, 2), ("all", 0, 0), ("any", 0, 0)],
)
def test_slots_needed(publish: str | int, publishers: int, needed: int) -> None:
    """`publish` says how many of the publishers must succeed."""
    found = JobSpec(
        engine="noop", publish=publish, publishers=(PublisherSpec(driver="local"),) * publishers
    )

    assert found.slots_needed == needed


def test_limits_are_reached() -> None:
    """What is exactly at a limit is accepted."""
    inputs = [{"source": "s3://a", "dest": f"{index}"} for index in range(INPUTS_MAX)]

    normal(read_spec(spec(inputs=inputs, deal={"replicas": 100})), publishers=KNOWN)
    normal(read_spec(spec(sharding={"count": SHARDS_MAX}, timeout="30d")), publishers=KNOWN)
