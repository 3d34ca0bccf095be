"""`lota events schema`: what an event may hold, for programs in any language."""

import json
from typing import Annotated

from cyclopts import Parameter

from events.errors import WrongUsage


def schema(*, type: Annotated[str | None, Parameter(negative=())] = None) -> None:
    """Print the JSON Schema of the events that this version writes.

    Example: lota events schema --type results.proposed

    Parameters
    ----------
    type
        Only that of this event type, such as results.proposed; otherwise one that takes them all.
    """
    from events.codec import KINDS, TYPE_NAMES
    from events.schema.json_schema import bundle, event_schema

    names = {KINDS[kind]: name for name, kind in TYPE_NAMES.items()}
    if type is None:
        shown = bundle()
    elif (name := names.get(type, type)) in TYPE_NAMES:
        shown = event_schema(name)
    else:
        raise WrongUsage(
            f"there is no event type {type!r}", hint=f"use one of {', '.join(sorted(names))}"
        )
    print(json.dumps(shown, indent=1, ensure_ascii=False))
