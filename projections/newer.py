"""What a fold skips because only a newer version of Lota knows it.

Facts and requests that are skipped are like those that have not come yet: a rule for that stands
already (a time that runs out, rule 2 of the protocol). A decision is another matter: it closes what
this fold takes for open. So the first one that is skipped holds its job, see `projections.state`.
"""

from typing import Any

from projections.state import Skipped

TYPES_MAX = 50
"""Types that are told apart in one place; beyond it they are counted as one."""
OTHERS = "others"


def skip(newer: dict[str, Skipped], type: str, position: int) -> Skipped:
    """Count one more event of a type that is not known here."""
    name = type if type in newer or len(newer) < TYPES_MAX else OTHERS
    known = newer.get(name)
    if known is None:
        known = newer[name] = Skipped(type=name, count=0, first=position, last=position)
    known.count += 1
    known.last = position
    return known


def newer_view(newer: dict[str, Skipped]) -> list[dict[str, Any]]:
    """Return what was skipped, a plain object for each type."""
    return [
        {"type": each.type, "count": each.count, "first": each.first, "last": each.last}
        for each in newer.values()
    ]
