"""What types cannot say: when each event is written, and by which rules of docs/protocol.md."""

from collections.abc import Mapping

import msgspec


class Telling(msgspec.Struct, frozen=True):
    """When an event of a kind is written, and the numbers of the rules that it is written by."""

    when: str
    rules: tuple[int, ...]


STORY: Mapping[str, Telling] = {
    "job.submitted": Telling(
        "A client submits a job: once a job, however often the client tries.", (1,)
    ),
    "cancel.requested": Telling("A client wants a job to end. It may come too late.", (10,)),
    "job.planned": Telling(
        "The inputs are listed: in the submission or, for remote sources, by a node.", (7, 13)
    ),
    "shards.offered": Telling(
        "Shards lack executions, and no bid is left that could take them.", (7, 8)
    ),
    "shards.awarded": Telling(
        "Enough bids are there, or the wait for them is over and some are there.", (2, 3, 13)
    ),
    "executions.lost": Telling(
        "An execution has passed its deadline, or its node is gone or does not hold it.", (2, 11)
    ),
    "reveals.requested": Telling(
        "As many executions of a shard as must agree have committed, and no other is still to be "
        "waited for. Once a shard.",
        (5,),
    ),
    "results.judged": Telling(
        "All claims that were asked for are on the table, or had the time to be.", (4, 5, 13)
    ),
    "publications.assigned": Telling(
        "A publication has failed or run out of time and another node may take over, or every "
        "shard is published and the job's root is due. The first assignments stand in the verdict.",
        (6,),
    ),
    "publications.revoked": Telling(
        "The time for a publication that costs money is over, and another node may have to take "
        "over.",
        (6,),
    ),
    "shards.failed": Telling(
        "Every execution that a shard may have is used up, or too many publishers have failed for "
        "good.",
        (4, 6),
    ),
    "job.completed": Telling(
        "Every shard is accepted, and published as often as was asked.", (10, 13)
    ),
    "job.failed": Telling(
        "A shard has failed and no other is still under way, the inputs cannot be used, or the "
        "job's deadline has passed.",
        (4, 8, 10),
    ),
    "job.cancelled": Telling("A cancel was asked for and the job had not ended.", (10,)),
    "job.closed": Telling(
        "The job has ended and its executions have stopped, or had the time to. It is left out "
        "where the event that ended the job says `closed`.",
        (12, 13),
    ),
    "node.lost": Telling("A node's heartbeats have been missing for too long.", (11,)),
    "node.quarantined": Telling(
        "Reserved: read by every version, and not written by any so far.", (11,)
    ),
    "bids.placed": Telling("The node was offered shards, can run them and has room.", (9,)),
    "bids.declined": Telling("The node was offered shards that it cannot take.", (9,)),
    "executions.started": Telling("Commands have run for a second.", (13,)),
    "executions.failed": Telling("The node could not run commands to their end.", (4,)),
    "results.proposed": Telling("Commands have ended, whatever their exit code.", (4, 5, 9)),
    "results.revealed": Telling("A requester asked for reveals.", (5, 9)),
    "publish.started": Telling("The node is about to publish where that costs money.", (6,)),
    "results.published": Telling("Copies exist.", (2, 6, 13)),
    "publish.failed": Telling("Copies could not be made.", (6,)),
    "inputs.listed": Telling("A requester asked the node to list a job's remote inputs.", (8,)),
    "node.joined": Telling("The node has started, or has read of its own loss.", (9, 11)),
    "node.drained": Telling(
        "The node is taken out of service. Reserved: no command does that so far.", (11,)
    ),
    "node.left": Telling("The node stops, if it still reaches the log.", (11,)),
}
"""By kind."""
