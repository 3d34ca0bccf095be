"""Which events somebody asks for, as people say it and as a server filters it."""

from collections.abc import Iterable

from events.codec import KINDS, PRESENT
from events.errors import WrongUsage
from events.subjects import EVERYTHING, job_events, partition


def read_kinds(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the types that are named, each once, as subjects have them: `results.proposed`.

    `lota.results.proposed.v1` names the same. Raises WrongUsage with the types that there are.
    """
    return tuple(dict.fromkeys(map(_kind, texts)))


def filters(job: str | None, kinds: Iterable[str], author: str = "") -> list[str]:
    """Return the subject filters for events of these types, or of all, of a job or of all.

    With `author` they are of that one alone. What was stored under an old name of a type is found
    by its present one.
    """
    kinds = tuple(kinds)
    if not kinds and not author:
        return [job_events(job) if job else EVERYTHING]
    start = f"lota.ev.{partition(job)}.{job}" if job else "lota.ev.*.*"
    stored = [name for kind in kinds for name in PRESENT.stored_as(kind)]
    return [f"{start}.*.{author or '*'}.{name}" for name in dict.fromkeys(stored) or (">",)]


def _kind(text: str) -> str:
    kind = text.removeprefix("lota.")
    kind = kind.removesuffix(f".{kind.rpartition('.')[2]}") if kind.count(".") > 1 else kind
    if kind not in PRESENT.kinds:
        raise WrongUsage(
            f"there is no event type {text!r}",
            hint=f"use one of {', '.join(sorted(KINDS.values()))}",
        )
    return kind
