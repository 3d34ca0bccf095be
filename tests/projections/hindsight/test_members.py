"""The nodes as they were."""

import copy
from random import Random
from typing import Any

import pytest

from events.codec import encode
from events.decisions import NodeLost, NodeLostData, NodeQuarantined, NodeQuarantinedData
from events.entry import Entry, read_entry
from events.facts import NodeDrained, NodeDrainedData, NodeJoined, NodeJoinedData
from events.items import Capabilities
from events.log import Record
from events.subjects import NET, subject
from projections.hindsight import members as members_module
from projections.hindsight.members import Members
from projections.nodes import Node, Nodes, evolve_nodes

CAN = Capabilities(roles=("compute",))
MADE: dict[str, Any] = {"seen": 0, "seal": "", "policy": "test"}


def told(position: int, chance: Random) -> Entry:
    """Return some event about one of three nodes and two of their lives."""
    node, life = f"n{chance.randrange(3)}", str(chance.randrange(2))
    fields: dict[str, Any] = {
        "id": f"E{position}",
        "source": "/lota/c/x",
        "subject": NET,
        "time": "2026-11-23T09:00:00.000Z",
        "causationid": "E",
    }
    match chance.randrange(4):
        case 0:
            lost = NodeLostData(node=node, incarnation=life, reason="silent", **MADE)
            body, role, kind = encode(NodeLost(data=lost, **fields)), "r", "node.lost"
        case 1:
            away = NodeQuarantinedData(node=node, reason="liar", **MADE)
            body, role = encode(NodeQuarantined(data=away, **fields)), "r"
            kind = "node.quarantined"
        case 2:
            drained = NodeDrained(data=NodeDrainedData(incarnation=life), **fields)
            body, role, kind = encode(drained), "c", "node.drained"
        case _:
            joined = NodeJoinedData(incarnation=life, capabilities=CAN)
            body, role, kind = encode(NodeJoined(data=joined, **fields)), "c", "node.joined"
    return read_entry(Record(position, subject(NET, role, node, kind), body))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(20))
def test_as_they_were(seed: int) -> None:
    """As of any count they are what the fold of so many events makes them."""
    chance = Random(seed)
    members, fold = Members(), Nodes()
    history: list[dict[str, Node]] = [{}]
    for position in range(1, 41):
        entry = told(position, chance)
        members.fold(entry)
        evolve_nodes(fold, entry)
        history.append({name: copy.copy(node) for name, node in fold.members.items()})
        for seen in chance.sample(range(position + 1), min(5, position)):
            assert members.at(seen) == history[seen]


def test_beyond() -> None:
    """What was not folded yet, or lies behind the window, is not known."""
    chance = Random(1)
    members = Members()
    for position in range(1, members_module.WINDOW + 10):
        members.fold(told(position, chance))

    assert members.at(members.seen + 1) is None
    assert members.at(8) is None
    assert members.at(9) is not None
