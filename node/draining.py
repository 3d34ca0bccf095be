"""Asking a node to take no new work: a command, until the node has said on the log that it does.

It finishes what it has. Its next start is a new life, which takes work again.
"""

import asyncio
from contextlib import aclosing

from events.entry import read_entry
from events.errors import EventError, NodeSilent, NotFound, WrongUsage
from events.facts import NodeDrained
from events.log import Log
from events.subjects import NET, NODES, own_facts
from node.bus import Bus
from node.orders import Orders
from projections.base import begin
from projections.nodes import Node

TRY_S = 1.0
TRIES = 5


async def drain(log: Log, bus: Bus, name: str) -> int:
    """Have a node drain, and return the position at which it said so; safe to repeat.

    Raises NotFound for a node that there never was, WrongUsage for one that is not there now,
    NodeSilent for one that says nothing.
    """
    node, position = await _node(log, name)
    if node.state == "draining":
        return position
    if node.state != "live":
        raise WrongUsage(f"node {name} is {node.state}", hint="only a node that runs can drain")
    saying = asyncio.ensure_future(_said(log, node, position))
    orders = Orders(job=NET, fence=0, decision="", drain=node.incarnation)
    try:
        for _ in range(TRIES):
            bus.command(name, orders)
            done, _ = await asyncio.wait((saying,), timeout=TRY_S)
            if done:
                return saying.result()
    finally:
        saying.cancel()
        await asyncio.wait((saying,))
    raise NodeSilent(
        f"node {name} has not said that it drains",
        hint="is it running, and of this version? See lota node ls",
    )


async def _node(log: Log, name: str) -> tuple[Node, int]:
    """Return a node as it stands, and the position of the last event about nodes."""
    network = begin(await log.base())
    async for records in log.read((NODES,), after=network.position):
        for record in records:
            network.fold(record)
    node = network.nodes.members.get(name)
    if node is None:
        raise NotFound(f"there is no node {name}", hint="lota node ls shows which there are")
    return node, network.position


async def _said(log: Log, node: Node, after: int) -> int:
    """Wait until a node says that it drains, in this life."""
    filters = (own_facts(node.name, "node.drained"),)
    async with aclosing(log.follow(filters, after=after)) as batches:  # type: ignore[type-var]
        async for records in batches:
            for record in records:
                try:
                    event = read_entry(record).event
                except EventError:
                    continue
                if isinstance(event, NodeDrained) and event.data.incarnation == node.incarnation:
                    return record.position
    raise NodeSilent(f"the log was closed before node {node.name} said that it drains")
