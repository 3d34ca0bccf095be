"""`lota replay --check` and `--what-if`: decide again, by the rules of then or by others."""

from collections.abc import Callable, Iterable

import msgspec

from events.errors import WrongUsage
from events.log import Record
from events.subjects import EVERYTHING, NODES, job_events
from events.units import duration_ms
from node.cli import exits
from node.cli.difference_lines import show_checked, show_supposed
from node.cli.event_progress import EventProgress
from node.cli.output import Form, show_view
from node.cli.recorded import Recorded, named_job, records_until
from node.decide.replay import Check, WhatIf
from node.policy import NUMBERS
from projections.base import begin
from projections.hindsight import Members

NUMBER_MAX = 2**53
MAY_BE_NONE = ("retries_max", "lookups_max", "root_tries_max")
"""Numbers besides durations that may be 0."""


async def check_decisions(source: Recorded, job: str | None, last: int, output: Form) -> int:
    """Decide again up to a position, and print what came of it; return how the command exits."""
    check = Check(nodes=source.scope.nodes, members=_members(source))
    await _feed(source, job, last, check.take)
    checked = check.finish()
    show_view(msgspec.to_builtins(checked), output, show_checked)
    return exits.FAILED if checked.differ else exits.OK


async def suppose(
    source: Recorded, job: str | None, last: int, output: Form, texts: Iterable[str]
) -> None:
    """Decide again by other numbers, up to a position, and print what would have been otherwise.

    Raises WrongUsage for what is no number of the policy.
    """
    what_if = WhatIf(read_numbers(texts), nodes=source.scope.nodes, members=_members(source))
    await _feed(source, job, last, what_if.take)
    show_view(msgspec.to_builtins(what_if.finish()), output, show_supposed)


def _members(source: Recorded) -> Members:
    return Members(begin(source.base).nodes)


def read_numbers(texts: Iterable[str]) -> dict[str, int]:
    """Return what `over_ask=3` or `over_ask=3,bids_ms=5s` say, by name.

    Raises WrongUsage for a name that the policy has not, and for what is no such number.
    """
    numbers: dict[str, int] = {}
    for text in (part for given in texts for part in given.split(",")):
        name, equals, value = (word.strip() for word in text.partition("="))
        if name not in NUMBERS:
            known = ", ".join(NUMBERS)
            raise WrongUsage(f"the policy has no number {name!r}", hint=f"it has {known}")
        if not equals:
            raise WrongUsage(f"{name} is given no value", hint=f"write {name}=NUMBER")
        numbers[name] = _number(name, value)
    return numbers


def _number(name: str, value: str) -> int:
    example = "500, 500ms or 2s" if "_ms" in name else "3"
    try:
        number = duration_ms(value) if "_ms" in name and not value.isdecimal() else int(value)
    except ValueError:
        number = -1
    least = 0 if "_ms" in name or name in MAY_BE_NONE else 1
    if not least <= number <= NUMBER_MAX:
        what = f"{value!r} is no value of {name}"
        raise WrongUsage(what, hint=f"write {name}=NUMBER from {least} on, like {example}")
    return number


async def _feed(
    source: Recorded, job: str | None, last: int, take: Callable[[Record], object]
) -> None:
    """Give every message of the log, or those that a job is decided by, in order."""
    filters: tuple[str, ...] = (EVERYTHING,)
    expected: int | None = last - source.first + 1
    if job is not None:
        filters, expected = (job_events(await named_job(source, job)), NODES), None
    with EventProgress("deciding again", expected) as progress:
        async for records in records_until(source, last, filters):
            for record in records:
                take(record)
            progress.add(len(records))
