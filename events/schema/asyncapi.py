"""The subjects as an AsyncAPI 3.0 document: which event stands where, and what is no event.

A channel is one kind of event, since the last tokens of a subject say its kind and a server can
filter by them. Payloads are not repeated here: they refer to the schema files beside the document.

Source of the contract: AsyncAPI 3.0.0 with its NATS bindings, which have no field that we need;
what JetStream adds stands in the extension `x-jetstream`.
"""

from typing import Any

from events.codec import KINDS, TYPE_NAMES, WRITERS, AnyEvent
from events.schema.json_schema import about_nodes, described, file_name
from events.schema.words import ENVELOPE, NODE
from events.subjects import EVERYTHING, JOB_ID, NET, command, heartbeat, rpc, subject

FILE = "asyncapi.json"
CONTENT_TYPE = "application/cloudevents+json"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
INTRODUCTION = (
    "Every step of a job is an event on one JetStream stream, LOTA. Events are read from the "
    "stream with a consumer of one's own, from any position; their order is that of the stream. "
    "Optional fields are added without a new version of a type, so readers pass over fields, "
    "and over types, that they do not know. A subject below lota.live. in place of lota.ev. is a "
    "copy for tools that only watch, where the operator has switched it on."
)
SENDERS = {"r": "A requester decides", "c": "A node says", "g": "A gateway accepts"}

Document = dict[str, Any]


def asyncapi() -> Document:
    """Return the whole document."""
    events = sorted(TYPE_NAMES.items())
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lota events", "version": "1.0.0", "description": INTRODUCTION},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            **{KINDS[kind]: _channel(name, kind) for name, kind in events},
            **_unstored(),
        },
        "operations": {KINDS[kind]: _operation(kind) for _, kind in events},
        "components": {
            "parameters": _parameters(),
            "messages": {name: _message(name, kind) for name, kind in events},
            "schemas": {"headers": _headers()},
        },
    }


def address(kind: type[AnyEvent]) -> str:
    """Return the subjects of one kind of event, with what varies in braces."""
    if about_nodes(kind):
        return subject(NET, WRITERS[kind], "{author}", KINDS[kind])
    tokens = subject("{job}", WRITERS[kind], "{author}", KINDS[kind]).split(".")
    tokens[2] = "{partition}"
    return ".".join(tokens)


def _channel(name: str, kind: type[AnyEvent]) -> Document:
    parameters = ("author",) if about_nodes(kind) else ("partition", "job", "author")
    return {
        "address": address(kind),
        "description": described(kind.__doc__ or ""),
        "parameters": {name: {"$ref": f"#/components/parameters/{name}"} for name in parameters},
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "x-jetstream": {"stream": "LOTA", "subjects": [EVERYTHING]},
    }


def _operation(kind: type[AnyEvent]) -> Document:
    told = described(kind.__doc__ or "")
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{KINDS[kind]}"},
        "summary": f"{SENDERS[WRITERS[kind]]}: {told[0].lower()}{told[1:]}",
    }


def _message(name: str, kind: type[AnyEvent]) -> Document:
    return {
        "name": name,
        "title": KINDS[kind],
        "summary": described(kind.__doc__ or ""),
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": SCHEMA_FORMAT,
            "schema": {"$ref": f"./{file_name(name)}"},
        },
    }


def _parameters() -> Document:
    return {
        "partition": {
            "description": "The first byte of sha256(job id), as two hex digits. A filter that "
            "names the job names it too."
        },
        "job": {"description": f"The job's id: {JOB_ID.pattern}."},
        "author": {"description": f"The name of the node that wrote the event: {NODE['pattern']}."},
        "node": {"description": "The name of the node that is meant."},
    }


def _headers() -> Document:
    fence = "Of decisions and of what must not overtake one: "
    return {
        "type": "object",
        "properties": {
            "Content-Type": {"type": "string", "const": CONTENT_TYPE},
            "Nats-Msg-Id": {
                "type": "string",
                "description": f"{ENVELOPE['id'].meaning} A repeat within two minutes is dropped.",
            },
            "Nats-Expected-Last-Subject-Sequence": {
                "type": "string",
                "pattern": "^[0-9]+$",
                "description": f"{fence}the last position by the filter, as folded.",
            },
            "Nats-Expected-Last-Subject-Sequence-Subject": {
                "type": "string",
                "description": f"{fence}the filter, the same string for every writer.",
            },
        },
        "required": ["Content-Type", "Nats-Msg-Id"],
    }


def _unstored() -> Document:
    """What goes between nodes beside the log; losing one loses nothing."""
    told = "No part of the contract: the form changes with the version of the nodes."
    node = {"node": {"$ref": "#/components/parameters/node"}}
    return {
        "commands": {
            "address": command("{node}"),
            "description": f"What decisions ask of a node, for speed. {told}",
            "parameters": node,
        },
        "questions": {
            "address": rpc("{node}"),
            "description": f"Requests for what a node holds, such as output. {told}",
            "parameters": node,
        },
        "heartbeats": {
            "address": heartbeat("{node}"),
            "description": "An empty message each second: the node is present.",
            "parameters": node,
        },
    }
