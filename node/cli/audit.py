"""`lota audit`: hold a log, or an export of one, against the rules of the protocol."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from node.cli import exits
from node.cli.output import Columns, OutputOption, show_document, show_rows
from node.cli.server import Connection, Server, connected

if TYPE_CHECKING:
    from events.archive.lines import Header
    from events.log import Base
    from projections.audit import Report, Scope

COLUMNS: Columns = {
    "position": "POSITION",
    "kind": "KIND",
    "rule": "RULE",
    "type": "TYPE",
    "author": "AUTHOR",
    "job": "JOB",
    "event": "EVENT",
    "what": "WHAT",
    "right": "RIGHT",
}


async def audit(
    *,
    job: str | None = None,
    from_file: Annotated[Path | None, Parameter(name="--from")] = None,
    output: OutputOption = "table",
    server: Server | None = None,
) -> int:
    """Prove from the log alone that all went by the rules, and name each event that did not.

    Every seal, verdict, offer, award and root is worked out again. Late and repeated events are
    legal and only counted. Exits with 1 when something is foreign, forged, illegal, unproven or of
    a newer version, or when the file was changed. docs/audit.md says what the findings mean.

    Example: lota audit

    Parameters
    ----------
    job
        Only this job's events: its id, or the start of it; with --from its whole id.
    from_file
        An export (`lota events export`) to audit in place of a server's log.
    """
    from node.cli.audited_file import audit_file

    if from_file is not None:
        report = await audit_file(from_file, job)
    else:
        async with connected(server) as connection:
            report = await _audit_log(connection, job)
    _show(report, output)
    return exits.OK if report.clean else exits.FAILED


async def _audit_log(connection: Connection, job: str | None) -> "Report":
    from events.subjects import EVERYTHING, NODES, job_events
    from node.jobs import find_job
    from projections.audit import Audit
    from projections.base import begin

    log = connection.log
    filters = (job_events(await find_job(log, job)), NODES) if job else (EVERYTHING,)
    base = await log.base()
    begun = begin(base)
    audited = Audit(await _scope(connection, base), begun.nodes)
    async for records in log.read(filters, after=begun.position):
        for record in records:
            audited.take(record)
    return audited.finish()


async def _scope(connection: Connection, base: "Base | None") -> "Scope":
    """Return what a server's log holds."""
    from events.jetstream import History

    history = History(connection.client)
    try:
        first, _ = await history.bounds()
    finally:
        await history.close()
    return scope_from(first, connection.log.twin, base)


def scope_from(first: int, twin: "Header | None", base: "Base | None") -> "Scope":
    """Return what a log holds that begins at a position: all, what is left, or what a twin does.

    A base holds all that was told about nodes before.
    """
    from projections.audit import Scope

    if twin is not None:
        return scope_of(twin)
    return Scope(start=first <= 1, nodes=first <= 1 or base is not None)


def scope_of(header: "Header") -> "Scope":
    """Return what an export holds of its log."""
    import msgspec

    from projections.audit import Scope

    start = header.first <= 1
    nodes = start or header.base is not msgspec.UNSET
    return Scope(start=start, nodes=nodes and not header.filter.job)


def _show(report: "Report", output: Any) -> None:
    import msgspec

    data = msgspec.to_builtins(report)
    if output != "table":
        show_document(data, output)
        return
    findings = data.pop("findings")
    if findings:
        show_rows([{**row, "rule": row["rule"] or "-"} for row in findings], COLUMNS, output)
        print()
    if report.found > len(findings):
        data["found"] = f"{report.found}, of which these are the first {len(findings)}"
    show_document(data, output)
