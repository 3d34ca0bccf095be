"""`lota node ls`: the nodes of the network, from their events on the log."""

from typing import Annotated, Any

from cyclopts import Parameter

from node.cli.output import Columns, OutputOption, show_rows
from node.cli.server import Server, connected

COLUMNS: Columns = {
    "name": "NAME",
    "state": "STATE",
    "roles": "ROLES",
    "engines": "ENGINES",
    "width": "WIDTH",
    "cpu": "CPU",
    "memory": "MEMORY",
    "reason": "REASON",
}


async def ls(
    *,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """List the nodes: which there are, and what they can do.

    How often their results agreed with the others' takes the whole log: lota replay shows it.

    Example: lota node ls

    Parameters
    ----------
    quiet
        Print the names only.
    """
    from events.subjects import NODES
    from projections.base import begin
    from projections.views import node_view

    async with connected(server) as connection:
        network = begin(await connection.log.base())
        async for records in connection.log.read((NODES,), after=network.position):
            for record in records:
                network.fold(record)
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
