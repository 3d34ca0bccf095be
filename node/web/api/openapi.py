"""The API described as OpenAPI 3.1, made from its endpoints and from nothing else."""

import inspect
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from node.web.any_path import ANY_PATH
from node.web.api.endpoint import JSON, POSITION, Endpoint, statuses
from node.web.problems import MEDIA_TYPE, Problem

REF = "#/components/schemas/{name}"
DESCRIPTION = (
    "What a network of Lota does and did, from the log of its events. `as_of` on a read is a "
    "position of the log, a time (RFC 3339 or a date) or how long ago (`2h`): the answer is what "
    f"was true then. The header {POSITION} says as of which position an answer is."
)
PROBLEM = {"$ref": "#/components/responses/Problem"}


def document(endpoints: Sequence[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the whole document as plain objects."""
    parameters = {kind for e in endpoints for name, kind in e.takes.items() if name != "body"}
    bodies = [_body_type(e) for e in endpoints if "body" in e.takes]
    answers = [e.answer for e in endpoints if not isinstance(e.answer, str | tuple)]
    kinds = [Problem, *answers, *bodies, *sorted(parameters, key=lambda kind: kind.__name__)]
    schemas, components = msgspec.json.schema_components(kinds, ref_template=REF)
    schema_of = dict(zip((_key(kind) for kind in kinds), schemas, strict=True))
    structs = {kind: components.pop(kind.__name__) for kind in parameters}
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        path = endpoint.path.replace(f":{ANY_PATH}}}", "}")
        operation = _operation(endpoint, schema_of, structs)
        paths.setdefault(path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Lota", "version": version, "description": DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {
                "Problem": {
                    "description": "What went wrong, and what to do about it.",
                    "content": {MEDIA_TYPE: {"schema": {"$ref": REF.format(name="Problem")}}},
                }
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "lota_session"},
            },
        },
    }


def _operation(
    endpoint: Endpoint, schema_of: Mapping[Any, Any], structs: Mapping[Any, Any]
) -> dict[str, Any]:
    summary, _, description = inspect.cleandoc(endpoint.handle.__doc__ or "").partition("\n\n")
    name = endpoint.handle.__name__
    operation: dict[str, Any] = {
        "operationId": re.sub(r"_(.)", lambda found: found[1].upper(), name),
        "summary": " ".join(summary.split()),
    }
    if description:
        operation["description"] = description
    if endpoint.role is not None:
        operation["security"] = [{"bearer": []}, {"session": []}]
        operation["x-lota-role"] = endpoint.role
    operation["parameters"] = [
        {"name": field, "in": where, "required": field in struct.get("required", ()), **_of(schema)}
        for where in ("path", "query")
        if where in endpoint.takes
        for struct in [structs[endpoint.takes[where]]]
        for field, schema in struct["properties"].items()
    ]
    if "body" in endpoint.takes:
        schema = schema_of[_key(_body_type(endpoint))]
        operation["requestBody"] = {
            "required": bool(endpoint.body),
            "content": {media: {"schema": schema} for media in endpoint.media},
        }
    operation["responses"] = {
        str(endpoint.status): _response(endpoint, schema_of),
        **{str(status): PROBLEM for status in statuses(endpoint)},
    }
    return operation


def _of(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a field's schema as a parameter has it: what it means stands beside it."""
    inner = {name: value for name, value in schema.items() if name != "description"}
    told = {"description": schema["description"]} if "description" in schema else {}
    return {**told, "schema": inner}


def _response(endpoint: Endpoint, schema_of: Mapping[Any, Any]) -> dict[str, Any]:
    if isinstance(endpoint.answer, str | tuple):
        kinds = (endpoint.answer,) if isinstance(endpoint.answer, str) else endpoint.answer
        content: dict[str, Any] = {kind: {"schema": {"type": "string"}} for kind in kinds}
    else:
        content = {JSON: {"schema": schema_of[_key(endpoint.answer)]}}
    return {"description": HTTPStatus(endpoint.status).phrase, "content": content}


def _body_type(endpoint: Endpoint) -> Any:
    return endpoint.body or endpoint.takes["body"]


def _key(kind: Any) -> str:
    return repr(kind)
