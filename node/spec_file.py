"""A spec as text, in JSON or YAML, to a job spec.

Of YAML this is the part that JSON has too, with comments and without quotes, by the rules of YAML
1.2: `no` and `on` are words, `0755` and `12:30` are text. Keys given twice are refused, and so are
anchors and aliases, with which a few lines grow to gigabytes.
"""

import json
import re
from collections.abc import Hashable
from typing import Any

import yaml

from events.errors import InvalidSpec
from events.spec import JobSpec
from events.spec_reader import read_spec

TEXT_BYTES_MAX = 1024 * 1024


def load_spec(text: bytes, *, name: str) -> JobSpec:
    """Return the spec that a text holds; `name` is what messages call it.

    Raises InvalidSpec, with line and column for what is no JSON or YAML.
    """
    if len(text) > TEXT_BYTES_MAX:
        raise InvalidSpec(
            "$", f"{name} has {len(text):,} bytes", hint=f"the limit is {TEXT_BYTES_MAX:,}"
        )
    try:
        return read_spec(_document(text.decode("utf-8-sig"), name))
    except UnicodeDecodeError as error:
        raise InvalidSpec(
            "$", f"{name} is not UTF-8 at byte {error.start}", hint="save it as UTF-8"
        ) from None
    except UnicodeEncodeError:
        raise InvalidSpec("$", f"{name} has a name that is not Unicode", hint="mend it") from None
    except ValueError:
        raise InvalidSpec(
            "$", f"{name} has a number of thousands of digits", hint="write a smaller one"
        ) from None
    except RecursionError:
        raise InvalidSpec("$", f"{name} is nested too deeply", hint="see the examples") from None


def _document(text: str, name: str) -> object:
    """Decode JSON if it is, else YAML: a document that starts with a brace may be either."""
    wrong: json.JSONDecodeError | None = None
    if text.lstrip().startswith(("{", "[")):
        try:
            return json.loads(text, object_pairs_hook=_once)
        except json.JSONDecodeError as error:
            wrong = error
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "its end"
        what, kind = error.problem or error.context or "it cannot be read", "YAML"
    except yaml.YAMLError as error:
        at, what, kind = "a character", str(error).splitlines()[0], "YAML"
    if wrong is not None:
        at, what, kind = f"line {wrong.lineno}, column {wrong.colno}", wrong.msg, "JSON"
    raise InvalidSpec("$", f"{name} is no {kind} at {at}: {what}", hint="mend that line")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidSpec("$", f"{name!r} is given twice", hint="leave one of them out")
        found[name] = value
    return found


class _Loader(yaml.SafeLoader):
    """Mappings, lists and the scalars of JSON; everything else is text."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(
                problem="aliases are not supported", problem_mark=self.get_mark()
            )
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the signature is PyYAML's
    ) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(
                    problem="a name has to be text", problem_mark=key.start_mark
                )
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _scalar, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"-?(?:0|[1-9][0-9]*)", [*"-0123456789"]),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", [*"-0123456789"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_scalar})\Z"), _first
    )
