"""A network that speaks otherwise than today's, its log, and what is true at the end of it.

python -m tests.projections.evolution FOLDER

writes a log in the words of yesterday as an export, and what today's core made of the same network
when it spoke today's words. That is what stands in `tests/histories/evolution`, and is kept.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from events.codec import PRESENT, Codec
from events.log import Record
from projections.network import Network
from projections.state import Job
from tests.events.archive.logs import export
from tests.projections.audit.sweep import stored_of
from tests.simulation.dialects import TODAY, YESTERDAY, Dialect
from tests.simulation.faults import CALM
from tests.simulation.world import Plan, World

HISTORIES = Path(__file__).parents[1] / "histories" / "evolution"
PLAN = Plan(seed=7, jobs=5, requesters=1, nodes=4, faults=CALM)


def play(dialect: Dialect, plan: Plan = PLAN) -> World:
    """Return a network that was played to its end, all of which speaks like this."""
    everyone = ("client", *(f"r{n}" for n in range(3)), *(f"n{n}" for n in range(7)))
    world = World(plan, dialects=dict.fromkeys(everyone, dialect))
    world.run()
    return world


def log_of(world: World) -> list[Record]:
    """Return all that was stored."""
    return world.wire.log.records(limit=1 << 20)


def told(records: Iterable[Record], codec: Codec = PRESENT) -> dict[str, Any]:
    """Return what is true at the end of a log, in words that no shape of an event is part of."""
    network = Network(codec)
    for record in records:
        network.fold(record)
    assert (network.foreign, network.newer) == (0, {})
    nodes = {node.name: [node.state, node.agreed] for node in network.nodes.members.values()}
    return {"nodes": nodes, "jobs": {name: _job(job) for name, job in network.jobs.items()}}


def _job(job: Job) -> dict[str, Any]:
    return {
        "state": [job.state, job.code, job.root_cid, job.closed, job.illegal],
        "offers": [sorted(offer.bids) for offer in job.offers],
        "shards": [
            {
                "state": shard.state,
                "executions": [[e.node, e.state, str(e.claim)] for e in shard.executions],
                "verdict": str(shard.verdict),
                "copies": {str(n): [copy.uri for copy in s.copies] for n, s in shard.slots.items()},
            }
            for shard in job.shards
        ],
    }


def main(folder: Path) -> None:
    """Record a history of yesterday, and what is true at its end."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = export(stored_of(play(YESTERDAY)))
    (folder / "yesterday.jsonl").write_bytes(b"".join(lines))
    end = json.dumps(told(log_of(play(TODAY))), indent=1, sort_keys=True)
    (folder / "yesterday.end.json").write_text(end + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
