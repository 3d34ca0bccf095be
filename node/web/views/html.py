"""HTML from data. Whatever a network says goes in as text or as an attribute, and is escaped.

There is no way to put markup in. What a parser would read otherwise than it was written is refused
(elements whose inside is no text) or mended (the line break that it drops, the one that it turns
into another).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from html import escape
from typing import Any, TypeAlias

import msgspec

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
NO_TEXT = {"iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "xmp"}
DROPS_A_LINE_BREAK = {"pre", "textarea"}
"""A parser leaves out a line break right behind the tag."""

_NAME = re.compile("[A-Za-z][A-Za-z0-9-]*")

Attribute: TypeAlias = str | float | bool | None
Child: TypeAlias = "Element | Data | str | float | bool | Iterable[Child] | None"


class Element(msgspec.Struct, frozen=True):
    """An element with its attributes and all that is in it."""

    name: str
    given: tuple[tuple[str, str], ...]
    children: tuple["Element | Data | str", ...]


class Data(msgspec.Struct, frozen=True):
    """A document for the page's script, as JSON that stays in its place."""

    id: str
    document: Any


def h(name: str, given: Mapping[str, Attribute] | None = None, *children: Child) -> Element:
    """Make an element.

    Of attributes and children, None and False are left out; True is an attribute without a value.
    Children may be nested. Raises ValueError for a name that is none, and for elements whose
    inside is no text.
    """
    if name in NO_TEXT:
        raise ValueError(f"<{name}> is no place for text: use Data for what a script reads")
    attributes = tuple(
        (_named(key), "" if value is True else str(value))
        for key, value in (given or {}).items()
        if value is not None and value is not False
    )
    return Element(_named(name), attributes, tuple(_flat(children)))


def render(*children: Child) -> str:
    """Return elements as HTML."""
    parts: list[str] = []
    for child in _flat(children):
        _write(child, parts)
    return "".join(parts)


def _flat(children: Iterable[Child]) -> Iterator[Element | Data | str]:
    for child in children:
        if isinstance(child, Element | Data | str):
            yield child
        elif isinstance(child, int | float):
            if not isinstance(child, bool):
                yield str(child)
        elif child is not None:
            yield from _flat(child)


def _write(child: Element | Data | str, parts: list[str]) -> None:
    if isinstance(child, str):
        parts.append(_text(child))
    elif isinstance(child, Data):
        text = msgspec.json.encode(child.document).decode().replace("<", "\\u003c")
        given = f'type="application/json" id="{_text(child.id)}"'
        parts.append(f"<script {given}>{text}</script>")
    else:
        given = "".join(f' {name}="{_text(value)}"' for name, value in child.given)
        parts.append(f"<{child.name}{given}>")
        if child.name in VOID:
            return
        if child.name in DROPS_A_LINE_BREAK:
            parts.append("\n")
        for inner in child.children:
            _write(inner, parts)
        parts.append(f"</{child.name}>")


def _text(text: str) -> str:
    text = escape(text)
    if "\r" in text:
        text = text.replace("\r", "&#13;")
    return text.replace("\0", "\ufffd") if "\0" in text else text


@lru_cache(1024)
def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of an element or an attribute")
    return name
