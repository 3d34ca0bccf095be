"""Every field of the structs that stand on the wire survives it."""

import types
import typing
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import decisions, facts, items, requests, spec
from events.envelope import Data
from events.items import Item

STRUCTS = sorted(
    {
        value
        for module in (items, requests, facts, decisions, spec)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Item | Data | spec._Section)
    },
    key=lambda kind: kind.__name__,
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for a declared type; `from_type` knows neither structs nor their rules."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        (rule,) = kind.__metadata__
        if rule.pattern is not None:
            return st.from_regex(rule.pattern, fullmatch=True)
        return st.integers(rule.ge, 2**63)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = msgspec.structs.fields(kind)
        return st.builds(kind, **{field.name: values(field.type) for field in fields})
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (types.UnionType, typing.Union):
        return st.one_of([values(argument) for argument in arguments])
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*[values(argument) for argument in arguments])
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=3)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**63), 2**63),
        str: st.text(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
        types.NoneType: st.none(),
    }
    return plain[kind]


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_round_trip(kind: type[msgspec.Struct]) -> None:
    """Any value of every field is the same behind the wire."""

    @given(values(kind))
    def check(value: msgspec.Struct) -> None:
        assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value

    check()


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_immutable(kind: type[msgspec.Struct]) -> None:
    """Items and data are frozen, and hold tuples instead of lists."""
    fields = msgspec.structs.fields(kind)

    assert kind.__struct_config__.frozen
    assert not [field.name for field in fields if typing.get_origin(field.type) in (list, set)]


def test_listed_files_are_arrays() -> None:
    """A listed file takes no names on the wire: listings are long."""
    assert msgspec.json.encode(items.ListedFile("a/b", 3, "00")) == b'["a/b",3,"00"]'
