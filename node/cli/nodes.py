"""`lota node ls`: the nodes of the network, from their events on the log."""

from typing import Annotated, Any

from cyclopts import Parameter

from node.cli.output import Columns, OutputOption, show_rows
from node.cli.server import Server, connected
from node.jobs import SUBMISSIONS

COLUMNS: Columns = {
    "name": "NAME",
    "state": "STATE",
    "roles": "ROLES",
    "engines": "ENGINES",
    "width": "WIDTH",
    "cpu": "CPU",
    "memory": "MEMORY",
    "agreed": "AGREED",
    "differed": "DIFFERED",
    "reason": "REASON",
}

FILTERS = ("lota.ev.net._.c.>", "lota.ev.*.*.r.>", SUBMISSIONS)
"""What nodes say of themselves, and all decisions: verdicts make a node's standing. The facts of
jobs are left out, which are most of the log."""

ENDINGS = frozenset({"job.completed", "job.failed", "job.cancelled"})


async def ls(
    *,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """List the nodes: what they can do, and how often their results agreed with the others'.

    Example: lota node ls

    Parameters
    ----------
    quiet
        Print the names only.
    """
    from projections.network import Network
    from projections.views import node_view

    network = Network()
    async with connected(server) as connection:
        async for records in connection.log.read(FILTERS):
            for record in records:
                entry = network.fold(record)
                if entry is not None and entry.address.kind in ENDINGS:
                    network.retire(entry.address.job)
    rows = [node_view(node) for _, node in sorted(network.nodes.members.items())]
    if quiet:
        for row in rows:
            print(row["name"])
    elif output == "table":
        show_rows([_table_row(row) for row in rows], COLUMNS, output)
    else:
        show_rows(rows, COLUMNS, output)


def _table_row(row: dict[str, Any]) -> dict[str, Any]:
    state = "quarantined" if row["quarantined"] and row["state"] == "live" else row["state"]
    return {**row, "state": state, "memory": f"{row['memory_bytes'] / 2**30:.1f}Gi"}
