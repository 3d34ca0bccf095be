"""`lota replay --check`: today's code decides again what was decided, and tells what differs."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from events.log import Record
from events.subjects import EVERYTHING, NODES, job_events
from node.cli import exits
from node.cli.difference_lines import show_checked
from node.cli.event_progress import EventProgress
from node.cli.recorded import Recorded, records_until
from node.decide.replay import Check
from node.jobs import find_job

Form = Literal["table", "json", "yaml", "jsonl"]


async def check_decisions(source: Recorded, job: str | None, last: int, output: Form) -> int:
    """Decide again up to a position, and print what came of it; return how the command exits."""
    check = Check(nodes=source.scope.nodes)
    await _feed(source, job, last, check.take)
    checked = check.finish()
    _show(msgspec.to_builtins(checked), output, show_checked)
    return exits.FAILED if checked.differ else exits.OK


async def _feed(
    source: Recorded, job: str | None, last: int, take: Callable[[Record], object]
) -> None:
    """Give every message of the log, or those that a job is decided by, in order."""
    filters: tuple[str, ...] = (EVERYTHING,)
    expected: int | None = last - source.first + 1
    if job is not None:
        filters, expected = (job_events(await find_job(source.log, job)), NODES), None
    with EventProgress("deciding again", expected) as progress:
        async for records in records_until(source, last, filters):
            for record in records:
                take(record)
            progress.add(len(records))


def _show(
    document: dict[str, Any], output: Form, table: Callable[[Mapping[str, Any]], None]
) -> None:
    if output == "table":
        table(document)
    elif output == "jsonl":
        import json

        print(json.dumps(document, ensure_ascii=False))
    else:
        from node.cli.output import show_document

        show_document(document, output)
