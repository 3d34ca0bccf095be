"""From a document that a person wrote to a job spec, or to a message that helps them mend it.

Where what was meant is beyond doubt a whole number stands for text: `timeout: 90`, `PORT: 8080`,
`command: [sleep, 5]`. Fractions and booleans do not, but for durations and sizes: YAML has already
made `3.10` into 3.1 by then, so that the person is asked for quotes. One string is never split
into a command.
"""

import difflib
import json
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from events.errors import InvalidSpec
from events.spec import JobSpec

_AT = re.compile(r"(?P<what>.*?)(?: - at (?:`key` in )?`(?P<path>.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")
_EXPECTED = re.compile(r"Expected `([^`]*)`(?:, got `([^`]*)`)?")
_STEP = re.compile(r"\.(\w+)|\[[^\]]*\]")
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a mapping of names to values",
    "str": "text",
    "int | str": "all, any or a whole number",
    "null": "nothing",
}
_EXAMPLES = {
    "$.inputs[]": "write it like {source: ./data, dest: data}",
    "$.publishers[]": "write it like {driver: local}",
    "$.env": "write it like {NAME: value}",
}


def read_spec(document: object) -> JobSpec:
    """Return the spec that a decoded JSON or YAML document holds, not yet in normal form.

    Raises InvalidSpec with the path of the first field that is unknown, missing or of a wrong
    type.
    """
    if not isinstance(document, Mapping):
        raise InvalidSpec(
            "$",
            f"is {_name(document)}, not a mapping",
            hint="a spec starts with fields, like engine: process",
        )
    try:
        return msgspec.convert(_loosened(document), JobSpec)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None


def _loosened(document: Mapping[Any, Any]) -> dict[Any, Any]:
    """Return the document with text where a number leaves no doubt."""
    result = dict(document)
    for name in ("timeout", "deadline"):
        if name in result:
            result[name] = _quantity(result[name])
    resources = result.get("resources")
    if isinstance(resources, Mapping):
        sizes = {name: _quantity(resources[name]) for name in ("memory", "disk") & resources.keys()}
        result["resources"] = {**resources, **sizes}
    for name in ("env", "labels"):
        if isinstance(values := result.get(name), Mapping):
            result[name] = {
                _text(key, f"$.{name}"): _text(value, f"$.{name}[{key!r}]")
                for key, value in values.items()
            }
    command = result.get("command")
    if isinstance(command, str):
        raise InvalidSpec(
            "$.command",
            "is one string, which no shell will split",
            hint=f"write it as a list: {json.dumps(command.split(), ensure_ascii=False)}",
        )
    if isinstance(command, list | tuple):
        result["command"] = [_text(word, f"$.command[{at}]") for at, word in enumerate(command)]
    if "name" in result:
        result["name"] = _text(result["name"], "$.name")
    return result


def _quantity(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _text(value: object, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    hint = "write it as text"
    if value is None or isinstance(value, bool | float):
        hint = f'write it in quotes: "{json.dumps(value)}"'
    raise InvalidSpec(path, f"is {_name(value)}, not text", hint=hint)


def _explained(message: str) -> InvalidSpec:
    """Return what msgspec found wrong as an error with a path and what to do."""
    found = _AT.fullmatch(message)
    what, path = (found["what"], found["path"] or "$") if found else (message, "$")
    if unknown := _UNKNOWN.fullmatch(what):
        fields = _fields(_type_at(path))
        return InvalidSpec(
            f"{path}.{unknown[1]}", "is not a field of a spec", hint=_nearest(unknown[1], fields)
        )
    if missing := _MISSING.fullmatch(what):
        path = f"{path}.{missing[1]}"
        choices = _choices(_type_at(path))
        hint = f"use one of {', '.join(choices)}" if choices else "add it"
        return InvalidSpec(path, "is missing", hint=hint)
    choices = _choices(_type_at(path))
    if choices and what.startswith("Invalid enum value"):
        given = what.removeprefix("Invalid enum value ").strip("'`")
        return InvalidSpec(
            path, f"{given!r} is not one of its values", hint=_nearest(given, choices)
        )
    if (expected := _EXPECTED.fullmatch(what)) and not expected[2]:
        return InvalidSpec(path, "has a name that is not text", hint="write the name in quotes")
    if expected:
        wanted, given = (_WORDS.get(word, "something else") for word in expected.groups())
        hint = _EXAMPLES.get(re.sub(r"\[.*?\]", "[]", path), f"write {wanted}")
        return InvalidSpec(path, f"is {given}, not {wanted}", hint=hint)
    return InvalidSpec(path, what, hint="see the fields of a spec in the documentation")


def _type_at(path: str) -> Any:
    """Return the declared type of the field at a path of the spec, None where there is none."""
    kind: Any = JobSpec
    for name in _STEP.findall(path):
        if name:
            kind = _fields(kind).get(name)
        else:
            arguments = typing.get_args(kind)
            kind = arguments[-1 if typing.get_origin(kind) is dict else 0] if arguments else None
    return kind


def _fields(kind: Any) -> dict[str, Any]:
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return {}
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _choices(kind: Any) -> list[str]:
    return (
        [word for word in typing.get_args(kind) if word]
        if typing.get_origin(kind) is Literal
        else []
    )


def _nearest(given: str, known: typing.Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(names)}"


def _name(value: object) -> str:
    words: dict[type, str] = {
        bool: _WORDS["bool"],
        dict: _WORDS["object"],
        float: "a fraction",
        int: "a whole number",
        list: "a list",
        str: "text",
        types.NoneType: "nothing",
    }
    return words.get(type(value), type(value).__name__)
