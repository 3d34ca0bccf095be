"""One event being folded into one job: the table look-ups and the bookkeeping that all share."""

import msgspec

from events.commitment import execution_id
from events.entry import Entry
from projections.state import (
    BUSY,
    COMMITTED,
    IN_HAND,
    OPEN,
    RECENT_MAX,
    STORIES_MAX,
    Execution,
    Job,
    Shard,
    Story,
)
from projections.transitions import EXECUTION, ILLEGAL, LATE, SHARD

ENDS = frozenset({"failed", "proposed", "concluded", "revealed"})
"""Facts after which the node no longer runs the execution."""

Move = tuple[str, str, int, str, str, str | int]
"""One thing that an event did: what of (`shard`, `execution`, `slot`, `root`, `offer`, `bid`,
`verdict`, `skipped`), by which item, of which shard, offer or slot, the states before and after,
and a detail: the code of a failure, the bytes of a copy. Plain, since large events make thousands.
"""


class Step(msgspec.Struct, frozen=True, gc=False):
    """The job, the entry that is folded, its author, and what it does, if anybody keeps that."""

    job: Job
    entry: Entry
    author: str
    moves: list[Move] | None = None

    def did(
        self,
        what: str,
        item: str,
        index: int,
        before: str = "",
        after: str = "",
        detail: str | int = "",
    ) -> None:
        """Keep what an item did."""
        if self.moves is not None:
            self.moves.append((what, item, index, before, after, detail))

    def late(self) -> None:
        """Count an item that is legal and changes nothing."""
        self.job.late += 1
        self.did("skipped", "late", -1)

    def illegal(self, item: str, state: str, why: str) -> None:
        """Count and keep the story of an item that is not legal here.

        It may follow from what only a newer version knows: then it is not for this fold to judge.
        """
        job, entry = self.job, self.entry
        if job.newer:
            job.unjudged += 1
            return
        job.illegal += 1
        self.did("skipped", "illegal", -1)
        job.stories.append(
            Story(
                job=job.id,
                event=entry.event.id,
                kind=entry.address.kind,
                author=self.author,
                causation=entry.event.causationid,
                item=item,
                state=state,
                why=why,
                recent=list(job.recent),
            )
        )
        del job.stories[:-STORIES_MAX]

    def shard(self, index: int, item: str) -> Shard | None:
        """Return a shard that admits the item in its phase; else count it and return None."""
        shards = self.job.shards
        if not 0 <= index < len(shards):
            self.illegal(f"shard {index} {item}", self.job.state, "there is no such shard")
            return None
        shard = shards[index]
        after = SHARD[phase(shard), item]
        if after is LATE:
            self.late()
            return None
        if after is ILLEGAL:
            self.illegal(f"shard {index} {item}", shard.state, "not in this phase of the shard")
            return None
        return shard

    def execution(self, index: int, attempt: int, item: str) -> tuple[Shard, Execution] | None:
        """Return a shard and its execution, of this author if the item is a fact; else count it."""
        shards = self.job.shards
        if not 0 <= index < len(shards) or not 0 <= attempt < len(shards[index].executions):
            name = execution_id(self.job.id, index, attempt)
            self.illegal(f"{name} {item}", self.job.state, "there is no such execution")
            return None
        shard = shards[index]
        execution = shard.executions[attempt]
        if self.entry.address.role == "c" and execution.node != self.author:
            name = execution_id(self.job.id, index, attempt)
            self.illegal(f"{name} {item}", execution.state, f"it is {execution.node}'s execution")
            return None
        return shard, execution

    def move(
        self, index: int, attempt: int, execution: Execution, item: str, detail: str = ""
    ) -> bool:
        """Take an execution through the table; True when the item was a transition."""
        after = EXECUTION[execution.state, item]
        if after is LATE:
            self.late()
            execution.ended = execution.ended or item in ENDS
            return False
        if after is ILLEGAL:
            name = execution_id(self.job.id, index, attempt)
            self.illegal(f"{name} {item}", execution.state, "not in this state")
            return False
        before = execution.state
        execution.state = after  # type: ignore[assignment]
        if before in OPEN and after not in OPEN:
            self.job.load[execution.node] -= 1
        if self.moves is not None:
            self.moves.append(("execution", item, index, before, after, detail))
        return True


def phase(shard: Shard) -> str:
    """Return the phase of a shard, as the shard table names it."""
    if shard.state in ("failed", "cancelled"):
        return "ended"
    if shard.state == "completed":
        return "completed"
    if shard.state == "publishing":
        return "publishing"
    return "revealing" if shard.revealing else "open"


def settle(step: Step, index: int, shard: Shard) -> None:
    """Derive the state of a shard from its parts and queue it for the stage that it waits for."""
    job, before = step.job, shard.state
    if before in ("completed", "failed", "cancelled"):
        return
    if before == "publishing":
        queue_publishing(job, index, shard)
        return
    busy = committed = settled = closed = 0
    for execution in shard.executions:
        state = execution.state
        if state in BUSY:
            busy += 1
        elif state in COMMITTED:
            committed += 1
            closed += execution.asked and state == "proposed"
        elif state == "accepted":
            settled += 1
    if settled:
        shard.state = "publishing"
        if step.moves is not None:
            step.moves.append(("shard", "settled", index, before, shard.state, ""))
        queue_publishing(job, index, shard)
        return
    _put(job.judging, index, belongs=committed > 0 or shard.revealing)
    enough = committed >= job.spec.deal.confidence and not busy
    due = not closed if shard.revealing else enough
    _put(job.verdict_due, index, belongs=due)
    if busy + committed:
        shard.state = "running" if busy else "verifying"
    else:
        shard.state = "offered" if shard.offers else "waiting"
    if step.moves is not None and shard.state != before:
        step.moves.append(("shard", "settled", index, before, shard.state, ""))
    lacking = busy + committed < job.spec.deal.replicas
    _put(job.placing, index, belongs=lacking and not shard.revealing)


def queue_publishing(job: Job, index: int, shard: Shard) -> None:
    """Queue a shard to be published; it is due while fewer slots are in hand than it needs."""
    job.publishing.add(index)
    in_hand = sum(1 for slot in shard.slots.values() if slot.state in IN_HAND)
    _put(job.publish_due, index, belongs=in_hand < job.spec.slots_needed)


def _put(queue: set[int], index: int, *, belongs: bool) -> None:
    if belongs:
        queue.add(index)
    else:
        queue.discard(index)


def finish(step: Step, index: int, shard: Shard, state: str) -> None:
    """End a shard: nothing of it stays open or queued."""
    job, before = step.job, shard.state
    tally(job, before, -1)
    shard.state = state  # type: ignore[assignment]
    tally(job, shard.state, 1)
    moves = step.moves
    if moves is not None:
        moves.append(("shard", "finished", index, before, state, ""))
    job.placing.discard(index)
    job.judging.discard(index)
    job.publishing.discard(index)
    job.verdict_due.discard(index)
    job.publish_due.discard(index)
    for execution in shard.executions:
        had = execution.state
        if had in OPEN:
            execution.state = EXECUTION[had, "cancelled"]  # type: ignore[assignment]
            job.load[execution.node] -= 1
            if moves is not None:
                moves.append(("execution", "cancelled", index, had, execution.state, ""))


def tally(job: Job, state: str, by: int) -> None:
    """Keep the number of shards in each terminal state, so that nobody has to count them."""
    if state in ("completed", "failed", "cancelled"):
        job.counts[state] = job.counts.get(state, 0) + by


def remember(job: Job, entry: Entry) -> None:
    """Keep the last few events as the story behind the next illegal item."""
    job.recent.append(f"{entry.address.kind} by {entry.address.author} ({entry.event.id})")
    if len(job.recent) > RECENT_MAX:
        del job.recent[0]
