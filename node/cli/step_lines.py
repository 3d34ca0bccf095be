"""One step of the log in words: a head, the cause, and what changed, in lines of about 80 columns.

What changed in the same way for many shards or executions is one line.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from events.times import parse_ms
from node.cli.durations import shown
from node.cli.output import plain
from projections.steps import Cause, Change, Step

NAMED_MAX = 4
"""Parts with the same change of state that get a line each."""

CID_MAX = 24
SUMMARY_MAX = 100
UNSAID = frozenset({"state", "ended", "node", "publisher"})
"""Fields that stand elsewhere in the line, or are of no interest to people."""

_Key = tuple[str, str, object, object, bool]


class _Moved(NamedTuple):
    """One part and all that changed of it."""

    name: str
    changes: list[Change]


def lines(step: Step) -> tuple[str, list[str], list[str]]:
    """Return the head, the body and the marks of a step, fit for a terminal.

    What a node or a user has written may hold line breaks and escape sequences; here it is text.
    """
    return plain(head(step)), [*map(plain, body(step))], [*map(plain, marks(step))]


def head(step: Step) -> str:
    """Return the first line of a step: where, when, how long since the last, what, by whom."""
    if step.foreign:
        return f"#{step.position}  {step.subject}"
    when = step.time.replace("T", " ").removesuffix("Z")
    return f"#{step.position}  {when}  {_since(step.after_ms):<6}  {step.kind} by {step.author}"


def _since(after_ms: int | None) -> str:
    """Return the time since the last event; one before it shows that two clocks disagree."""
    if after_ms is None:
        return ""
    return f"+{shown(after_ms)}" if after_ms >= 0 else f"-{shown(-after_ms)}"


def body(step: Step) -> Iterator[str]:
    """Yield the lines below it: what it says, its cause, what it changed."""
    if step.foreign:
        yield f"foreign: {step.foreign}"
        return
    if step.newer:
        yield f"job {step.job}, skipped: {step.newer}" if step.job else f"skipped: {step.newer}"
        return
    said = [text for text in (f"job {step.job}" if step.job else "", step.summary) if text]
    if said:
        yield _cut(": ".join(said), SUMMARY_MAX)
    if step.cause is not None:
        yield _because(step.cause)
    yield from change_lines(step.changes, step.time_ms)


def marks(step: Step) -> Iterator[str]:
    """Yield what was late or illegal."""
    if step.late:
        yield f"late: {step.late} item(s) came when it was decided, and changed nothing"
    for why in step.illegal:
        yield f"illegal, skipped: {why}"


def _because(cause: Cause) -> str:
    if not cause.kind:
        return f"because of {cause.id}, which is further back or elsewhere"
    why = "because of" if cause.recorded else "in answer to"
    events = "event" if cause.distance == 1 else "events"
    return f"{why} {cause.kind}, {cause.distance:,} {events} before (#{cause.position})"


def change_lines(changes: Iterable[Change], time_ms: int) -> Iterator[str]:
    """Yield the changes of one event; deadlines are shown from `time_ms` on."""
    for (what, node, *_), moved in _alike(changes).items():
        if len(moved) > NAMED_MAX:
            yield _many(what, node, moved)
        elif what == "job":
            yield from _job(moved[0].changes, time_ms)
        else:
            for name, those in moved:
                yield _line(f"{_called(what, name)}{_held(what, node)}", what, those, time_ms)


def _alike(changes: Iterable[Change]) -> dict[_Key, list[_Moved]]:
    """Gather the changes by part, and parts by what happened to their state."""
    parts: dict[tuple[str, str, str], list[Change]] = {}
    for change in changes:
        parts.setdefault((change.what, change.name, change.node), []).append(change)
    groups: dict[_Key, list[_Moved]] = {}
    for (what, name, node), those in parts.items():
        state = next((c for c in those if c.field == "state"), None)
        ends = (state.before, state.after) if state is not None else (None, None)
        key = (what, node, *ends, those[0].new)
        groups.setdefault(key, []).append(_Moved(name, those))
    return groups


def _called(what: str, name: str) -> str:
    return f"offer {name}" if what == "answer" else f"{what} {name}"


def _held(what: str, node: str) -> str:
    return f" ({node})" if node and what != "node" else ""


def _state(changes: Sequence[Change]) -> str:
    for change in changes:
        if change.field == "state":
            return str(change.after) if change.new else f"{change.before} -> {change.after}"
    return ""


def _line(name: str, what: str, changes: Sequence[Change], time_ms: int) -> str:
    said = [_state(changes)]
    said += [_said(c, time_ms) for c in changes if c.field not in UNSAID]
    if what in ("publication", "root"):
        said += [str(c.after) for c in changes if c.field == "publisher"]
    return f"{name}: {', '.join(part for part in said if part)}"


def _many(what: str, node: str, moved: list[_Moved]) -> str:
    names = [each.name for each in moved]
    which = ranges(names) if what == "shard" else f"{names[0]} to {names[-1]}"
    what = "offer" if what == "answer" else what
    changed = _state(moved[0].changes) or ", ".join(
        dict.fromkeys(c.field for each in moved for c in each.changes if c.field not in UNSAID)
    )
    return f"{len(moved):,} {what}s{_held(what, node)} {which}: {changed}"


def _job(changes: list[Change], time_ms: int) -> Iterator[str]:
    """Say the job's state and facts in one line, and its counters in another."""
    counters = [c for c in changes if _is_counter(c)]
    facts = [c for c in changes if not _is_counter(c)]
    if facts:
        yield _line("job", "job", facts, time_ms)
    if counters:
        yield f"job: {', '.join(_counted(c) for c in counters)}"


def _is_counter(change: Change) -> bool:
    return change.field.startswith(("wait ", "open on ", "shards "))


def _counted(change: Change) -> str:
    return f"{change.field} {change.before or 0} -> {change.after or 0}"


def _said(change: Change, time_ms: int) -> str:
    field, after = change.field, change.after
    if after is True:
        return field
    if after is None or after is False:
        return f"no {field} any more"
    if field in ("until", "deadline", "reveals until") and isinstance(after, str):
        return f"{field} +{shown(parse_ms(after) - time_ms)}"
    if field == "tries" and change.new:
        return ""
    if isinstance(after, int) and change.before is not None and not change.new:
        return f"{field} {change.before} -> {after}"
    return f"{field} {_cut(str(after), CID_MAX) if field == 'cid' else after}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def ranges(names: Iterable[str]) -> str:
    """Return numbers as `0-99, 120`, the first few ranges of them."""
    found: list[list[int]] = []
    for number in sorted(map(int, names)):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    texts = [str(a) if a == b else f"{a}-{b}" for a, b in found]
    more = f" and {len(texts) - NAMED_MAX} more ranges" if len(texts) > NAMED_MAX else ""
    return ", ".join(texts[:NAMED_MAX]) + more
