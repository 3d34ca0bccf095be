"""Two decisions side by side, field by field, as a person reads them."""

from collections.abc import Iterator
from typing import Any

import msgspec


class Change(msgspec.Struct, frozen=True):
    """A part of two decisions that is not the same; null stands for what one does not have."""

    path: str
    recorded: Any
    today: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded decision, and what would be decided today about the same.

    `today` is the type of the decision made instead, null when there is none; `why` then says so.
    """

    position: int
    time: str
    job: str
    type: str
    author: str
    event: str
    policy: str
    seen: int
    members: int
    recorded: dict[str, Any]
    today: str | None
    decided: dict[str, Any] | None
    why: str
    changes: tuple[Change, ...]


def changes(recorded: object, today: object, path: str = "") -> Iterator[Change]:
    """Yield where two values differ: fields by name, items by index, lists of plain ones whole."""
    if recorded == today:
        return
    if isinstance(recorded, msgspec.Struct) and type(recorded) is type(today):
        dot = f"{path}." if path else ""
        for field in recorded.__struct_fields__:
            yield from changes(getattr(recorded, field), getattr(today, field), dot + field)
    elif _deep(recorded) and _deep(today):
        yield from _items(recorded, today, path)
    else:
        yield Change(path, msgspec.to_builtins(recorded), msgspec.to_builtins(today))


def _items(recorded: Any, today: Any, path: str) -> Iterator[Change]:
    for index in range(max(len(recorded), len(today))):
        one = recorded[index] if index < len(recorded) else None
        other = today[index] if index < len(today) else None
        yield from changes(one, other, f"{path}[{index}]")


def _deep(value: object) -> bool:
    """Whether a value is a list of structs, or an empty one that may stand beside such a list."""
    return isinstance(value, tuple) and all(isinstance(item, msgspec.Struct) for item in value)
