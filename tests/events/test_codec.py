"""Bytes to events and back; the goldens are kept for ever, one for each version of each type."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import codec
from events.codec import (
    EVENT_TYPES,
    KINDS,
    TYPE_NAMES,
    AnyEvent,
    Codec,
    Document,
    Upcaster,
    decode,
    encode,
)
from events.errors import CorruptEvent, NewerEvent, UnknownEvent
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
        body(type="lota.cancel.requested.v0"),
        body(type="lota.cancel.v2"),
        body(type="lota.cancel.requested.v2", specversion="2.0"),
        body(type="lota.cancel.requested.v2", time=7),
        body(type="lota.cancel.requested.v2", data=[]),
        body(type=["lota.cancel.requested.v1"]),
        body(type={}),
        body(type=None),
        b"{}",
        json.dumps({key: value for key, value in document().items() if key != "type"}).encode(),
    ],
)
def test_foreign_types(foreign: bytes) -> None:
    """A well-formed document of another type, or of none, is UnknownEvent and nothing newer."""
    with pytest.raises(UnknownEvent) as caught:
        decode(foreign)

    assert not isinstance(caught.value, NewerEvent)


@pytest.mark.parametrize("name", ["lota.cancel.requested.v2", "lota.cancel.granted.v1"])
def test_newer_types(name: str) -> None:
    """A whole document of a later version of a type, or of a type to come, is NewerEvent."""
    with pytest.raises(
        NewerEvent, match=f"{name} was written by a newer version of Lota"
    ) as caught:
        decode(body(type=name, data={"anything": 1}))

    newer, plain = caught.value, document()
    assert (newer.type, newer.kind) == (name, name[5:-3])
    assert (newer.id, newer.job, newer.time) == (plain["id"], plain["subject"], plain["time"])


def test_newer_specs() -> None:
    """A spec that asks for what this version does not know is newer: it must not be passed over."""
    submitted = json.loads((GOLDEN / "lota.job.submitted.v1.json").read_bytes())
    submitted["data"]["later"] = 1
    assert codec.kind(decode(json.dumps(submitted).encode())) == "job.submitted"

    submitted["data"]["spec"]["priority"] = "high"
    with pytest.raises(NewerEvent, match=r"field `priority`.* was written by a newer version"):
        decode(json.dumps(submitted).encode())


def test_unknown_attributes() -> None:
    """Extension attributes of other tools and unknown data fields are passed over."""
    assert decode(body(othertool="x", data={"reason": "wrong input", "later": 1})) == EVENT


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_upcaster_table_covers_old_goldens(kind: type[AnyEvent]) -> None:
    """No present type is also an old one."""
    assert str(kind.__struct_config__.tag) not in codec.UPCASTERS


def upcaster(name: str, old: str, new: str) -> Upcaster:
    """Return one that gives a type another name, and its one field too."""

    def turn(was: Document) -> list[Document]:
        return [{**was, "type": name, "data": {new: was["data"][old]}}]

    return Upcaster((name,), turn)


def halves(was: Document) -> list[Document]:
    """Split the answers to offers into those who bid and those who would not."""
    return [
        {**was, "type": "lota.bids.placed.v1", "data": {"bids": was["data"]["yes"]}},
        {**was, "type": "lota.bids.declined.v1", "data": {"declines": was["data"]["no"]}},
    ]


WISHED, WISHED_2, ANSWERED = "lota.cancel.wished.v1", "lota.cancel.wished.v2", "lota.bids.said.v1"
LATER = Codec(
    upcasters={
        WISHED: upcaster(WISHED_2, "because", "why"),
        WISHED_2: upcaster("lota.cancel.requested.v1", "why", "reason"),
        ANSWERED: Upcaster(("lota.bids.placed.v1", "lota.bids.declined.v1"), halves),
    }
)


@pytest.mark.parametrize(("version", "field"), [(1, "because"), (2, "why")])
def test_upcasters(version: int, field: str) -> None:
    """An old version goes through every later one to the present."""
    old = body(type=f"lota.cancel.wished.v{version}", data={field: "wrong input"})

    assert LATER.read(old) == ("cancel.wished", EVENT, ())


def test_upcasters_may_split() -> None:
    """An old type may have become several: they have the id of the one message, and an order."""
    said = LATER.read(body(type=ANSWERED, data={"yes": [{"offer": 1, "free": 2}], "no": []}))

    assert said.kind == "bids.said"
    assert [codec.kind(event) for event in (said.event, *said.more)] == [
        "bids.placed",
        "bids.declined",
    ]
    assert {event.id for event in (said.event, *said.more)} == {EVENT.id}


@pytest.mark.parametrize("data", [{}, None, {"because": 7}, {"yes": [], "no": 3}])
def test_upcasters_meet_corrupt_bodies(data: Any) -> None:
    """An old body that its upcaster or the present type cannot use is CorruptEvent."""
    for name in (WISHED, ANSWERED):
        with pytest.raises(CorruptEvent):
            LATER.read(body(type=name, data=data))


def test_upcasters_keep_their_word() -> None:
    """An upcaster that makes another type than it says, or nothing, makes a corrupt event."""
    for made in ([{"type": "lota.cancel.requested.v1"}], []):
        made_up = Upcaster(("lota.bids.placed.v1",), lambda _, made=made: made)  # type: ignore[misc]
        with pytest.raises(CorruptEvent):
            Codec(upcasters={WISHED: made_up}).read(body(type=WISHED))


def test_upcasters_lead_to_the_present() -> None:
    """A table in which one leads in a circle, nowhere, or from a present type is refused."""
    circle = {WISHED: upcaster(WISHED_2, "a", "b"), WISHED_2: upcaster(WISHED, "b", "a")}
    nowhere = {WISHED: upcaster(WISHED_2, "a", "b")}
    present = {"lota.cancel.requested.v1": upcaster("lota.bids.placed.v1", "a", "b")}
    for table, why in ((circle, "back to it"), (nowhere, "no present"), (present, "is a present")):
        with pytest.raises(ValueError, match=why):
            Codec(upcasters=table)


def test_filters_find_old_names() -> None:
    """A kind is stored under its present name and under all that led to it."""
    assert LATER.stored_as("cancel.requested") == ("cancel.requested", "cancel.wished")
    assert LATER.stored_as("bids.declined") == ("bids.declined", "bids.said")
    assert LATER.stored_as("bids.said") == ("bids.said",)
    assert LATER.stored_as("node.left") == ("node.left",)
    assert {"bids.said", "bids.placed"} < LATER.kinds


class Wished(CancelRequestedData, frozen=True):
    """What a wish says once it can be urgent."""

    urgent: bool = False


class WishedToday(CancelRequested, frozen=True, tag="lota.cancel.requested.v1"):
    """A real second shape of an event: one more field, which may be left out."""

    data: Wished


WIDER = Codec([WishedToday, *(kind for kind in EVENT_TYPES if kind is not CancelRequested)])


def test_an_optional_field_needs_nothing_else() -> None:
    """Who knows a new field reads what was written without it, and who does not passes it over."""
    old = WIDER.read(encode(EVENT)).event
    assert isinstance(old, WishedToday)
    assert (old.data.reason, old.data.urgent) == ("wrong input", False)

    new = encode(msgspec.structs.replace(old, data=Wished("wrong input", urgent=True)))
    assert b'"urgent":true' in new
    assert decode(new) == EVENT
