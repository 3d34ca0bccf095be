"""The catalogue of events for people, as Markdown: who writes what, when, and what it means."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from events.codec import EVENT_TYPES, KINDS, WRITERS, AnyEvent
from events.schema.asyncapi import FILE as ASYNCAPI
from events.schema.asyncapi import address
from events.schema.json_schema import BUNDLE, Schema, about_nodes, bundle, described, file_name
from events.schema.story import STORY

FILE = "README.md"
PROTOCOL = "../protocol.md"
EVOLUTION = "../evolution.md"
EXAMPLES = "../../examples"
WRITERS_AS_WORDS = {"r": "requester", "c": "compute node", "g": "gateway"}
INTRODUCTION = f"""\
<!-- Made from the types in events/ by `make schemas`. Change those, or events/schema/. -->
# The events

Every step of a job is an immutable event on one NATS JetStream stream, `LOTA`. This page lists them
all. For programs:

- a JSON Schema (2020-12) for each, named after its type, and [all in one]({file_name(BUNDLE)});
- the subjects as [AsyncAPI 3.0]({ASYNCAPI});
- `lota events schema` prints the schemas of the version that is installed;
- subscribers in [Python]({EXAMPLES}/python/README.md),
  [JavaScript]({EXAMPLES}/javascript/README.md) and in [shell]({EXAMPLES}/shell/README.md).

**Subjects.** `lota.ev.<partition>.<job>.<role>.<author>.<noun>.<verb>`. The partition is the first
byte of sha256(job id) in hex, or `net`; the job is its id, or `_` for events about nodes; the role
is `r` for what requesters decide, `c` for what nodes say happened, `g` for what a gateway accepted.
A server can filter on each of these.

**Order.** The position in the stream is the order. `time` is the author's own clock. The same event
may stand there twice with one `id`: count it once. Not everything that is stored counts: a fact
that comes too late, or about what its author was never given, is stored all the same, and
[the rules]({PROTOCOL}) say what becomes of it. The schemas tell what Lota writes; somebody else who
may write to the server may store what fits none of them.

**Versions.** A type's name ends in its version. Within a version fields are added and nothing else
changes: an added field is optional, and a reader that does not know it passes over it, so the
schemas leave objects open. Anything else is a new version under a new name, with a new schema
beside the old one; a reader passes over types that it does not know. The job's spec alone is
closed, because a node must not leave out a part of what it is asked: a job that asks for what a
version does not know is left to nodes of a later one. A type that was renamed or split keeps its
old subjects: [Evolution]({EVOLUTION}) says how types change. A field of `data` that has its
default value is left out.
"""


def catalogue(examples: Mapping[str, bytes], rules: Mapping[int, str]) -> str:
    """Return the page; `examples` are stored events by type, `rules` titles by number."""
    types = bundle()["$defs"]
    sections = {"g": "gateways accept", "r": "requesters decide", "c": "nodes say"}
    lines = [INTRODUCTION, *_overview()]
    for role, title in sections.items():
        lines += [f"## What {title}", ""]
        for kind in EVENT_TYPES:
            if WRITERS[kind] == role:
                name = str(kind.__struct_config__.tag)
                lines += _event(name, kind, types, examples[name], rules)
    lines += ["## Items", "", "What events carry in `data`, by name.", ""]
    events = {kind.__name__ for kind in EVENT_TYPES}
    data = {f"{name}Data" for name in events}
    for title in sorted(types.keys() - events - data):
        lines += [f"### {title}", "", *_paragraphs(types[title]["description"])]
        lines += _table(types[title])
    return "\n".join(lines).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| event | by | what |"
    yield "|---|---|---|"
    for kind in EVENT_TYPES:
        name = KINDS[kind]
        yield f"| [{name}](#{_anchor(name)}) | {_who(kind)} | {_what(kind)} |"
    yield from ("", "## The envelope", "")
    yield (
        "Every event is one CloudEvents 1.0 document in structured JSON. Other attributes may "
        "stand beside these."
    )
    yield ""
    envelope = dict(bundle()["$defs"]["JobSubmitted"])
    own = dict(envelope["properties"])
    del own["data"]
    own["type"] = {"type": "string", "description": own["type"]["description"]}
    envelope["properties"] = own
    yield from _table(envelope)


def _event(
    name: str,
    kind: type[AnyEvent],
    types: Mapping[str, Schema],
    example: bytes,
    rules: Mapping[int, str],
) -> Iterator[str]:
    data = types[f"{kind.__name__}Data"]
    telling = STORY[KINDS[kind]]
    kept = ", ".join(f"{number} ({rules[number]})" for number in telling.rules)
    yield from (f"### {KINDS[kind]}", "", _what(kind), "")
    yield f"- When: {telling.when}"
    yield f"- Type: [`{name}`]({file_name(name)}), subject `{address(kind)}`"
    yield f"- [Rules]({PROTOCOL}): {kept}"
    yield ""
    yield from _paragraphs(data["description"])
    yield from _table(data)
    yield from ("<details><summary>Example</summary>", "", "```json")
    yield json.dumps(json.loads(example), indent=2, ensure_ascii=False)
    yield from ("```", "", "</details>", "")


def _table(schema: Schema) -> Iterator[str]:
    yield "| field | type | meaning |"
    yield "|---|---|---|"
    if "prefixItems" in schema:
        yield from _rows(enumerate(schema["prefixItems"]), required=range(schema["minItems"]))
    else:
        yield from _rows(schema["properties"].items(), required=schema.get("required", ()))
    yield ""


def _rows(fields: Iterable[tuple[Any, Schema]], required: Iterable[Any]) -> Iterator[str]:
    needed = set(required)
    for name, schema in fields:
        shape = _shape(str(name), schema)
        if name not in needed:
            shape += _default(schema)
        yield f"| `{name}` | {shape} | {schema['description']} |"


def _shape(name: str, schema: Schema) -> str:
    """Return what a value looks like, in words."""
    if "$ref" in schema:
        title = schema["$ref"].rpartition("/")[2]
        return f"[{title}](#{_anchor(title)})"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "anyOf" in schema:
        return " or ".join(_shape(name, branch) for branch in schema["anyOf"])
    if "prefixItems" in schema:
        return f"{len(schema['prefixItems'])} integers"
    if "items" in schema:
        return f"list of {_shape('', schema['items'])}".replace("of integer", "of integers")
    if schema["type"] == "object":
        return "object of text"
    kind = str(schema["type"])
    unit = ", bytes" if name.endswith("_bytes") else ""
    return ("text" if kind == "string" else kind) + unit


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return ", optional"
    return f", default `{json.dumps(schema['default'])}`"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n"):
        yield from (paragraph, "")


def _who(kind: type[AnyEvent]) -> str:
    role = WRITERS[kind]
    return "node" if role == "c" and about_nodes(kind) else WRITERS_AS_WORDS[role]


def _what(kind: type[AnyEvent]) -> str:
    return described(kind.__doc__ or "")


def _anchor(heading: str) -> str:
    return heading.lower().replace(".", "")
