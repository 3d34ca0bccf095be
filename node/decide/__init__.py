"""`decide`: what a requester does about one job. A plain function of the fold, the time and rules.

At most one decision of a job is under way at a time: the first that is due, in the order of the
stages below; the next follows when that one has been folded. Deciding twice over the same state
gives the same effects, so a requester that starts simply decides over every open job.
"""

from events.subjects import partition
from node.decide import ending, placement, publish, verdict
from node.decide.cohorts import cohorts
from node.decide.view import View
from node.effects import Append, Command, Effect, WakeAt
from node.orders import Orders, owed
from node.policy import Policy
from projections.nodes import Nodes, owner
from projections.ring import top
from projections.state import TERMINAL, Job

__all__ = ["decide"]


def decide(
    job: Job, nodes: Nodes, *, me: str, now_ms: int, policy: Policy, patrol: bool = False
) -> list[Effect]:
    """Return the effects that are due for a job.

    `patrol` also looks for what did not happen: deadlines, lost nodes, and answers that nodes owe.
    Ownership of a partition only avoids needless conflicts; the append is the fence. What its
    owner leaves lying for a grace is anybody's, and stays with who took it up until the owner
    decides again. A job with a decision that only a newer version of Lota knows is left to
    requesters of that version.
    """
    if job.closed or job.held:
        return []
    view = View(job, nodes, now_ms, policy, patrol)
    mine = me == job.decider or owner(nodes, partition(job.id)) in (me, "")
    if not mine and not (patrol and _overdue(view)):
        return [WakeAt(job.id, now_ms + policy.overdue_grace_ms)]
    effects: list[Effect] = []
    due = _due(view)
    if due is not None:
        effects.append(due)
    if not isinstance(due, Append):
        if patrol:
            effects += [Command(node, orders, nudge=True) for node, orders in _owed(view).items()]
        effects.append(WakeAt(job.id, now_ms + policy.patience_ms))
    return effects


def _due(view: View) -> Append | Command | WakeAt | None:
    """Return the first thing that is due, in the order of the stages."""
    job = view.job
    if job.state in TERMINAL:
        return ending.close(view)
    if job.cancel_asked is not None:
        return ending.cancel(view)
    if job.state == "submitted":
        return _begin(view)
    if view.now_ms >= job.deadline_ms:
        return ending.overdue(view)
    if view.patrol:
        lost = verdict.lose(view)
        if lost is not None:
            return lost
    if job.judging if view.patrol else job.verdict_due:
        due = verdict.judge_shards(view) or verdict.reveal(view)
        if due is not None:
            return due
    if job.placing and (view.patrol or placement.has_room(job)):
        waiting = cohorts(job)
        placed = verdict.give_up(view, waiting) or placement.place(view, waiting)
    else:
        placed = None
    if isinstance(placed, Append):
        return placed
    published = publish.publish(view)
    if isinstance(published, Append):
        return published
    wakes = [step for step in (placed, published) if step is not None]
    return ending.end(view) or min(wakes, key=lambda wake: wake.ms, default=None)


def _begin(view: View) -> Append | Command | None:
    """Plan the job, or have its remote inputs listed first."""
    job = view.job
    if job.listing_error:
        return ending.fail(view, "inputs", job.listing_error)
    if job.listed:
        plan = placement.plan(view)
        return plan if not isinstance(plan, str) else ending.fail(view, "inputs", plan)
    if view.now_ms >= job.touched_ms + job.spec.deadline_ms:
        return ending.fail(view, "deadline", "no node listed the inputs in time")
    able = [(node.name, 1.0) for node in placement.eligible(view)]
    chosen = top(able, f"{job.id}/inputs/{view.now_ms // view.policy.publish_ms}", 1)
    if not chosen:
        return None
    orders = Orders(job=job.id, fence=job.fence, decision=job.last_decision, list_inputs=True)
    return Command(chosen[0], orders.with_job(job), nudge=True)


def _owed(view: View) -> dict[str, Orders]:
    """Return what present nodes owe the job."""
    members = view.nodes.members
    return {
        node: orders
        for node, orders in owed(view.job).items()
        if node in members and members[node].state in ("live", "draining")
    }


def _overdue(view: View) -> bool:
    """Whether the owner of the job's partition has let something lie for longer than the grace.

    The last decision or submission tells when the owner was last seen to act.
    """
    return view.now_ms >= view.job.touched_ms + view.policy.overdue_grace_ms
