"""`lota node drain`: have a node take no new work."""

from node.cli.output import note
from node.cli.server import Server, connected


async def drain(node: str, /, *, server: Server | None = None) -> None:
    """Have a node take no new work, and finish what it has; prints its state.

    It drains until it is started again. Stop it when lota node ls shows that it has nothing left.

    Example: lota node drain node-1

    Parameters
    ----------
    node
        The node's name.
    """
    from node import draining
    from node.bus import Bus
    from node.config import checked_name

    name = checked_name(node)
    async with connected(server) as connection:
        connection.log.require_writable()
        await draining.drain(connection.log, Bus(connection.client), name)
    print("draining")
    note(f"lota: {name} finishes what it has; start it again to have it take new work")
