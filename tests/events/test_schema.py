"""The documents for other languages: equal to the code, and as strict as what they describe."""

import copy
import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest

from events.codec import KINDS, TYPE_NAMES, UPCASTERS, WRITERS, decode
from events.entry import read_entry
from events.errors import EventError
from events.items import ListedFile
from events.schema.asyncapi import address, asyncapi
from events.schema.json_schema import BUNDLE, about_nodes, bundle, event_schema, file_name
from events.schema.story import STORY
from events.schema.words import ENVELOPE, WORDS, look_up
from events.subjects import subject
from tests.events.documents import FOLDER, GOLDEN, documents, rules
from tests.simulation.world import Plan, World

Path = tuple[str | int, ...]


@cache
def validator(name: str) -> Any:
    """Return a validator for the committed schema of a type, or for the bundle."""
    jsonschema = pytest.importorskip("jsonschema", reason="the dev dependencies are not installed")
    schema = json.loads((FOLDER / file_name(name)).read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def complaints(event: dict[str, Any]) -> list[str]:
    """Return what the committed schema of its type says against an event."""
    errors = validator(event["type"]).iter_errors(event)
    return [f"{error.json_path}: {error.message}" for error in errors]


def golden(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_bytes())
    return event


def changed(event: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return the event with one value replaced, added or, for `...`, left out."""
    result = copy.deepcopy(event)
    inner: Any = result
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return result


def places(part: Any, path: Path = ()) -> Iterator[Path]:
    """Yield where the fields of an event stand."""
    entries = part.items() if isinstance(part, dict) else enumerate(part)
    for step, value in entries:
        if isinstance(part, dict):
            yield (*path, step)
        if isinstance(value, dict | list):
            yield from places(value, (*path, step))


def decodes(event: dict[str, Any]) -> bool:
    try:
        decode(json.dumps(event).encode())
    except EventError:
        return False
    return True


def test_documents_are_those_of_the_code() -> None:
    """What is committed in docs/events is what the types make: `make schemas` writes it."""
    made = documents()
    kept = {file_name(name) for name in UPCASTERS}

    assert {path.name for path in FOLDER.iterdir()} == made.keys() | kept
    for name, text in made.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, name


def test_every_field_has_a_meaning() -> None:
    """Every field of every event is told of, and nothing is told of a field that is not there."""
    _, components = msgspec.json.schema_components(list(TYPE_NAMES.values()))
    events = {kind.__name__ for kind in TYPE_NAMES.values()}
    fields = {
        (title, field)
        for title, component in components.items()
        if title not in events
        for field in component.get("properties", ListedFile.__struct_fields__)
    }
    envelope = {field for title in events for field in components[title]["properties"]}

    assert {look_up(title, field) for title, field in fields} == WORDS.keys()
    assert envelope == ENVELOPE.keys() | {"type", "data"}


def test_every_event_has_a_story() -> None:
    """The catalogue says of every kind when it is written, and by which rules of the protocol."""
    assert STORY.keys() == set(KINDS.values())
    assert {number for told in STORY.values() for number in told.rules} <= rules().keys()
    assert sorted(rules()) == list(range(1, 14))


@pytest.mark.parametrize("path", sorted(GOLDEN.iterdir()), ids=lambda path: path.name)
def test_goldens_fit(path: Any) -> None:
    """Every golden event fits the schema of its type, and the bundle."""
    event = json.loads(path.read_bytes())

    assert complaints(event) == []
    assert event["type"] in UPCASTERS or validator(BUNDLE).is_valid(event)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_network_writes_fits(seed: int) -> None:
    """Every event of a network with crashes, liars and lost messages fits its schema."""
    world = World(Plan(seed=seed, jobs=6))
    world.run()
    checked = 0
    for record in world.wire.log._records:
        try:
            read_entry(record)
        except EventError:
            continue  # an intruder's, which is no event
        assert complaints(json.loads(record.body)) == [], record
        checked += 1

    assert checked > 50


@pytest.mark.parametrize("name", sorted(TYPE_NAMES))
def test_the_schema_asks_for_what_the_decoder_asks_for(name: str) -> None:
    """A field may be left out for the schema exactly when an event without it decodes."""
    event = golden(name)
    for path in places(event):
        if path in {("type",), ("specversion",)}:
            continue  # CloudEvents asks for these, whoever reads
        without = changed(event, path, ...)
        assert (complaints(without) == []) == decodes(without), path


WRONG: list[tuple[str, Path, Any]] = [
    ("lota.job.planned.v1", ("specversion",), "0.3"),
    ("lota.job.planned.v1", ("specversion",), ...),
    ("lota.job.planned.v1", ("id",), ""),
    ("lota.job.planned.v1", ("time",), "2026-01-01T00:00:00.111"),
    ("lota.job.planned.v1", ("time",), "yesterday"),
    ("lota.job.planned.v1", ("subject",), "_"),
    ("lota.job.planned.v1", ("subject",), "a.b"),
    ("lota.job.planned.v1", ("source",), "/lota/c/node-1"),
    ("lota.job.planned.v1", ("traceparent",), "00-0-0-00"),
    ("lota.job.planned.v1", ("Extension",), "x"),
    ("lota.job.planned.v1", ("extension",), {"x": 1}),
    ("lota.job.planned.v1", ("data", "seal"), "00"),
    ("lota.job.planned.v1", ("data", "shards"), 100_001),
    ("lota.job.planned.v1", ("data", "seen"), -1),
    ("lota.job.planned.v1", ("data", "policy"), ""),
    ("lota.job.planned.v1", ("data", "offers", 0, "shards", 0), [1]),
    ("lota.job.planned.v1", ("data", "offers", 0, "shards", 0), [1, 2, 3]),
    ("lota.job.planned.v1", ("data", "offers", 0, "nodes", 0), "node 1"),
    ("lota.node.joined.v1", ("subject",), "job"),
    ("lota.node.joined.v1", ("data", "holds", 0), "job-0"),
    ("lota.shards.awarded.v1", ("data", "awards", 0, "shard"), 1.5),
    ("lota.shards.awarded.v1", ("data", "awards", 0, "attempt"), -1),
    ("lota.job.failed.v1", ("data", "code"), "weather"),
    ("lota.results.judged.v1", ("data", "judgements", 0, "result"), "undecided"),
    ("lota.results.revealed.v1", ("data", "reveals", 0, "nonce"), "AB" * 32),
    ("lota.results.revealed.v1", ("data", "reveals", 0, "claim", "cid"), "QmX"),
    ("lota.job.submitted.v1", ("data", "inputs", 0, "files", 0), ["a.py", 1]),
    ("lota.job.submitted.v1", ("data", "spec", "publish"), "most"),
    ("lota.job.submitted.v1", ("data", "spec", "publish"), 0),
    ("lota.job.submitted.v1", ("data", "spec", "timeout"), "soon"),
    ("lota.job.submitted.v1", ("data", "spec", "env", "LOTA_SHARD"), "0"),
    ("lota.job.submitted.v1", ("data", "spec", "deal", "replicas"), 101),
    ("lota.job.submitted.v1", ("data", "spec", "colour"), "blue"),
]


@pytest.mark.parametrize(("name", "path", "value"), WRONG, ids=lambda value: str(value)[-40:])
def test_what_is_wrong_does_not_fit(name: str, path: Path, value: Any) -> None:
    """A schema refuses values, roles, lengths and names that Lota never writes."""
    assert complaints(changed(golden(name), path, value))


@pytest.mark.parametrize("name", sorted(TYPE_NAMES))
def test_fields_may_be_added(name: str) -> None:
    """A field that a later version adds fits today's schema, in `data` and in every item."""
    event = golden(name)
    event["laterattribute"] = "x"
    for path in places(golden(name)):
        inner: Any = event
        for step in path:
            inner = inner[step]
        if isinstance(inner, dict) and "spec" not in path:
            inner["later"] = "1"

    assert complaints(event) == []


def test_the_bundle_tells_types_apart() -> None:
    """An event under another's type, or under none of ours, does not fit the bundle."""
    event = golden("lota.bids.placed.v1")

    assert not validator(BUNDLE).is_valid({**event, "type": "lota.bids.declined.v1"})
    assert not validator(BUNDLE).is_valid({**event, "type": "lota.bids.placed.v2"})


def test_schemas_stand_alone() -> None:
    """A schema holds all that it refers to and nothing else, and the bundle holds every schema."""
    for name in TYPE_NAMES:
        schema = event_schema(name)
        text = json.dumps(schema)
        assert set(re.findall(r'"#/\$defs/(\w+)"', text)) == schema["$defs"].keys()
        assert schema["$defs"].items() <= bundle()["$defs"].items()


def test_channels_are_the_subjects() -> None:
    """Every event has a channel, whose address is the subject that its events are stored under."""
    channels = asyncapi()["channels"]
    for name, kind in TYPE_NAMES.items():
        job = golden(name)["subject"]
        stored = subject(job, WRITERS[kind], "node-1", KINDS[kind])
        pattern = re.sub(r"\\{\w+\\}", "[^.]+", re.escape(address(kind)))

        assert channels[KINDS[kind]]["address"] == address(kind)
        assert re.fullmatch(pattern, stored)
        assert ("{job}" in address(kind)) != about_nodes(kind)


def test_references_lead_somewhere() -> None:
    """Every reference of the AsyncAPI document is to a part of it or to a file beside it."""
    document = asyncapi()
    for target in re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)):
        if target.startswith("#/"):
            part = document
            for step in target[2:].split("/"):
                part = part[step]
        else:
            assert (FOLDER / target).is_file()
