"""Bytes to events and back; the goldens are kept for ever, one for each version of each type."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import codec
from events.codec import EVENT_TYPES, KINDS, TYPE_NAMES, AnyEvent, decode, encode
from events.errors import CorruptEvent, UnknownEvent
from events.requests import CancelRequested, CancelRequestedData

GOLDEN = Path(__file__).parents[1] / "golden" / "events"
EVENT = CancelRequested(
    id="01KDVDNA150XXFVDF56HR4FP0R",
    source="/lota/gateway-1",
    subject="01kaq3y6e5v8m2t9w0x4z7c1dn",
    time="2026-01-01T00:00:00.037Z",
    causationid="01KDVDNA150XXFVDF56HR4FP0R",
    data=CancelRequestedData(reason="wrong input"),
)


def document(**changes: object) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(encode(EVENT))
    return {**fields, **changes}


def body(**changes: object) -> bytes:
    return json.dumps(document(**changes)).encode()


def structs(value: object) -> Iterator[msgspec.Struct]:
    if isinstance(value, msgspec.Struct):
        yield value
        for field in msgspec.structs.fields(value):
            yield from structs(getattr(value, field.name))
    elif isinstance(value, tuple):
        for entry in value:
            yield from structs(entry)


def test_goldens_are_complete() -> None:
    """Every type has a golden file, and no file lacks a type or an upcaster."""
    names = {path.name.removesuffix(".json").partition("+")[0] for path in GOLDEN.iterdir()}

    assert names == TYPE_NAMES.keys() | codec.UPCASTERS.keys()


def goldens(name: str) -> list[Path]:
    """Return the golden files of a type; one with a `+field` has what an optional field added."""
    return sorted(GOLDEN.glob(f"{name}.json")) + sorted(GOLDEN.glob(f"{name}+*.json"))


@pytest.mark.parametrize("name", sorted(TYPE_NAMES))
def test_goldens(name: str) -> None:
    """Stored bytes decode to their type and encode to the same bytes again."""
    for path in goldens(name):
        event = decode(path.read_bytes())

        assert type(event) is TYPE_NAMES[name]
        assert encode(event) == path.read_bytes()


def test_goldens_use_every_field() -> None:
    """Every field of every event and item stands in some golden with another than its default."""
    used: set[tuple[str, str]] = set()
    declared: set[tuple[str, str]] = set()
    for path in GOLDEN.iterdir():
        for part in structs(decode(path.read_bytes())):
            for field in msgspec.structs.fields(part):
                declared.add((type(part).__name__, field.name))
                if getattr(part, field.name) != field.default:
                    used.add((type(part).__name__, field.name))
    constant = {"specversion", "datacontenttype", "network"}
    excluded = {("Sharding", "count")}  # by `size`, which the golden has

    assert {field for field in declared - used if field[1] not in constant} == excluded


def test_goldens_are_cloudevents() -> None:
    """Every golden has the attributes that CloudEvents 1.0 asks for, and its extensions as text."""
    for name in TYPE_NAMES:
        event = json.loads((GOLDEN / f"{name}.json").read_bytes())
        attributes = {key: value for key, value in event.items() if key != "data"}

        assert {"id", "source", "specversion", "type", "subject", "time"} <= attributes.keys()
        assert all(key.isalnum() and key.islower() for key in attributes)
        assert all(isinstance(value, str) and value for value in attributes.values())
        assert (attributes["specversion"], attributes["type"]) == ("1.0", name)


def test_names() -> None:
    """A type is `lota.<noun>.<verb>.v<n>`, and its kind is what stands in the subject."""
    for name, kind in TYPE_NAMES.items():
        prefix, noun, verb, version = name.split(".")

        assert (prefix, version[0], version[1:].isdigit()) == ("lota", "v", True)
        assert KINDS[kind] == f"{noun}.{verb}"

    assert codec.kind(EVENT) == "cancel.requested"
    assert len(EVENT_TYPES) == len(TYPE_NAMES) == len(set(KINDS.values()))


def test_defaults_are_left_out() -> None:
    """A field at its default takes no bytes in `data`."""
    event = msgspec.structs.replace(EVENT, data=CancelRequestedData())

    assert json.loads(encode(event))["data"] == {}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{}" * 2,
        b"[" * 100_000,
        b'{"a":' * 100_000,
        encode(EVENT)[:-1],
        encode(EVENT).replace(b"wrong", b"wr\xffng"),
        body(data=None),
        body(data={"reason": 1}),
        body(specversion="2.0"),
        body(id=7),
        body(time=None),
        json.dumps({key: value for key, value in document().items() if key != "subject"}).encode(),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_corrupt_bodies(broken: bytes) -> None:
    """What does not decode is CorruptEvent, whatever it is."""
    with pytest.raises(CorruptEvent):
        decode(broken)


@pytest.mark.parametrize(
    "foreign",
    [
        body(type="com.example.made.v1"),
        body(type="lota.cancel.requested.v2"),
        body(type=["lota.cancel.requested.v1"]),
        body(type={}),
        body(type=None),
        b"{}",
        json.dumps({key: value for key, value in document().items() if key != "type"}).encode(),
    ],
)
def test_foreign_types(foreign: bytes) -> None:
    """A well-formed document of another type, or of none, is UnknownEvent."""
    with pytest.raises(UnknownEvent):
        decode(foreign)


def test_unknown_attributes() -> None:
    """Extension attributes of other tools and unknown data fields are passed over."""
    assert decode(body(othertool="x", data={"reason": "wrong input", "later": 1})) == EVENT


def from_v1(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "type": "lota.cancel.wished.v2", "data": {"why": old["data"]["because"]}}


def from_v2(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "type": "lota.cancel.requested.v1", "data": {"reason": old["data"]["why"]}}


UPCASTERS = {"lota.cancel.wished.v1": from_v1, "lota.cancel.wished.v2": from_v2}


@pytest.mark.parametrize(("version", "field"), [(1, "because"), (2, "why")])
def test_upcasters(version: int, field: str) -> None:
    """An old version goes through every later one to the present."""
    old = body(type=f"lota.cancel.wished.v{version}", data={field: "wrong input"})

    assert decode(old, upcasters=UPCASTERS) == EVENT


def test_upcasters_meet_corrupt_bodies() -> None:
    """An old body that its upcaster or the present type cannot use is CorruptEvent."""
    for data in ({}, None, {"because": 7}):
        with pytest.raises(CorruptEvent):
            decode(body(type="lota.cancel.wished.v1", data=data), upcasters=UPCASTERS)


def test_upcasters_in_a_circle() -> None:
    """Upcasters that lead back to themselves end as UnknownEvent."""
    with pytest.raises(UnknownEvent):
        decode(body(type="a"), upcasters={"a": lambda old: {**old, "type": "a"}})


def test_present_types_are_not_upcast() -> None:
    """A body of a present type that does not decode is corrupt, not given to an upcaster."""

    def fail(old: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError(old)

    with pytest.raises(CorruptEvent):
        decode(body(data=None), upcasters={"lota.cancel.requested.v1": fail})


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_upcaster_table_covers_old_goldens(kind: type[AnyEvent]) -> None:
    """No present type is also an old one."""
    assert str(kind.__struct_config__.tag) not in codec.UPCASTERS
