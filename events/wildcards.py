"""NATS subject wildcards: `*` stands for one token, `>` for one or more at the end."""

from collections.abc import Sequence

from events.errors import LogError


def matches(filter: str, subject: str) -> bool:
    """Say whether `subject`, which has no wildcards, is selected by `filter`."""
    wanted, given = filter.split("."), subject.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(given) <= len(wanted):
            return False
    elif len(given) != len(wanted):
        return False
    return all(w in ("*", g) for w, g in zip(wanted, given, strict=False))


def overlap(one: str, other: str) -> bool:
    """Say whether some subject is selected by both filters."""
    left, right = one.split("."), other.split(".")
    for a, b in zip(left, right, strict=False):
        if ">" in (a, b):
            return True
        if a != b and "*" not in (a, b):
            return False
    return len(left) == len(right)


def refuse_overlap(filters: Sequence[str]) -> None:
    """Raise `LogError` when there is no filter or two select the same subject.

    The server refuses overlapping filters too; the in-memory log must not be laxer than it.
    """
    if not filters:
        raise LogError("no filter was given", hint="name at least one, such as lota.ev.>")
    for index, one in enumerate(filters):
        for other in filters[index + 1 :]:
            if overlap(one, other):
                raise LogError(f"filters {one} and {other} overlap", hint="keep the wider one")
