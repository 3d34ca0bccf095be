"""JSON Schema 2020-12 of every event, made from the types that encode and decode it.

Shapes come from msgspec, meanings and limits from `events.schema.words`, descriptions of types from
their docstrings. Objects stay open, since optional fields are added without a new version and
readers pass over what they do not know. Only the job's spec is closed: a part of what is asked that
a node does not understand must not be left out.

Source of the contract: JSON Schema 2020-12; for the envelope, CloudEvents 1.0 with its JSON format.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec

from events.codec import KINDS, TYPE_NAMES, WRITERS, AnyEvent
from events.items import ListedFile
from events.schema.words import ENVELOPE, NODE, WORDS, Word, look_up
from events.subjects import JOB_ID, NET

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BUNDLE = "lota.events"
_POINTER = "#/$defs/"
_OF_LISTS = {"maxItems"}
_OF_TYPES = {
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "exclusiveMinimum"},
    "object": {"propertyNames"},
    "string": {"const", "format", "minLength", "pattern"},
}
"""Which limits say something of which type; a word's other limits are for its other types."""

Schema = dict[str, Any]


def file_name(name: str) -> str:
    """Return what the schema of a type, or the bundle, is called: as a file, and as `$id`."""
    return f"{name}.schema.json"


def event_schema(name: str) -> Schema:
    """Return the schema of one event by its type, with all that it refers to.

    Raises KeyError for a type that is not one of ours.
    """
    types = _types()
    title = TYPE_NAMES[name].__name__
    needed = _reachable(types[title], types)
    head: Schema = {"$schema": DIALECT, "$id": file_name(name)}
    return {**head, **types[title], "$defs": {key: types[key] for key in sorted(needed)}}


def bundle() -> Schema:
    """Return one schema that takes every event of the present versions and nothing else."""
    types = _types()
    return {
        "$schema": DIALECT,
        "$id": file_name(BUNDLE),
        "title": "Every event of Lota",
        "description": "Exactly one of them fits an event; `type` says which.",
        "oneOf": [{"$ref": _POINTER + TYPE_NAMES[name].__name__} for name in sorted(TYPE_NAMES)],
        "$defs": {key: types[key] for key in sorted(types)},
    }


def about_nodes(kind: type[AnyEvent]) -> bool:
    """Say whether events of this type are about nodes, not about one job."""
    return KINDS[kind].startswith("node.")


def described(docstring: str) -> str:
    """Return a docstring as running text, a paragraph a line."""
    paragraphs = cleandoc(docstring).split("\n\n")
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


@cache
def _types() -> Mapping[str, Schema]:
    """Return the finished schemas of all events, their data and their items by type name."""
    _, components = msgspec.json.schema_components(list(TYPE_NAMES.values()))
    events = {kind.__name__: (name, kind) for name, kind in TYPE_NAMES.items()}
    types: dict[str, Schema] = {}
    for title, component in components.items():
        component["description"] = described(component["description"])
        if title in events:
            types[title] = _envelope(*events[title], component)
        elif component["type"] == "array":
            types[title] = _row(component)
        else:
            types[title] = _item(component)
    return types


def _envelope(name: str, kind: type[AnyEvent], component: Schema) -> Schema:
    job = NET if about_nodes(kind) else JOB_ID.pattern
    own = {
        "type": {"const": name, "description": "What happened, and the version of this schema."},
        "subject": {"pattern": _anchored(job)},
        "source": {"pattern": _anchored(f"/lota/{WRITERS[kind]}/{NODE['pattern']}")},
    }
    properties = {}
    for field, found in component["properties"].items():
        told = _tell(found, ENVELOPE[field]) if field in ENVELOPE else found
        properties[field] = {**_single(told), **own.get(field, {})}
    properties["type"].pop("enum", None)
    return {
        "title": name,
        "description": component["description"],
        "type": "object",
        "properties": properties,
        "required": [*component["required"], "specversion"],
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "additionalProperties": {"type": ["boolean", "integer", "null", "string"]},
    }


def _item(component: Schema) -> Schema:
    title = component["title"]
    properties = {
        field: _single(_tell(found, WORDS[look_up(title, field)]))
        for field, found in component["properties"].items()
    }
    told = {**component, "properties": properties}
    if not told["required"]:
        del told["required"]
    return told


def _row(component: Schema) -> Schema:
    """Tell of an item that is an array on the wire; entries may be added at its end."""
    entries = [
        _tell(found, WORDS[look_up(component["title"], field)])
        for field, found in zip(ListedFile.__struct_fields__, component["prefixItems"], strict=True)
    ]
    return {**component, "prefixItems": entries}


def _tell(found: Schema, word: Word) -> Schema:
    """Return a field's schema with what its word says and allows."""
    told = {"description": word.meaning, **found}
    if isinstance(found.get("default"), tuple):
        told["default"] = list(found["default"])
    if "items" in found:
        of_list = {key: value for key, value in word.allows.items() if key in _OF_LISTS}
        told["items"] = _narrowed(found["items"], word.allows)
        return {**told, **of_list}
    if "anyOf" in found:
        told["anyOf"] = [_narrowed(branch, word.allows) for branch in found["anyOf"]]
        return told
    return _narrowed(told, word.allows)


def _narrowed(schema: Schema, allows: Mapping[str, Any]) -> Schema:
    """Return a schema with those of the limits that say something of its type."""
    fitting = _OF_TYPES.get(schema.get("type", ""), set())
    narrow = {key: value for key, value in allows.items() if key in fitting}
    if "pattern" in narrow:
        narrow["pattern"] = _anchored(narrow["pattern"], or_empty=schema.get("default") == "")
    return {**schema, **narrow}


def _single(schema: Schema) -> Schema:
    """Write a choice of one as a constant."""
    if len(schema.get("enum", ())) != 1:
        return schema
    told = {key: value for key, value in schema.items() if key != "enum"}
    return {**told, "const": schema["enum"][0]}


def _anchored(pattern: str, *, or_empty: bool = False) -> str:
    if or_empty:
        return f"^({pattern})?$"
    return f"^({pattern})$" if "|" in pattern else f"^{pattern}$"


def _reachable(schema: Schema, types: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = [schema]
    while waiting:
        for name in set(_references(waiting.pop())) - found:
            found.add(name)
            waiting.append(types[name])
    return found


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"].removeprefix(_POINTER)
        for value in part.values():
            yield from _references(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _references(value)
