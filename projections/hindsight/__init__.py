"""A log with hindsight: every decision beside the job and the nodes as its author had folded them.

It is the same fold as everywhere. The difference is when a job's facts are folded: they wait until
the next decision of the job says in `seen` how many of them its author knew, and the nodes are
looked up as they were at its `members`. The audit proves decisions by that, and decision replay
makes them again. Pure: it is given messages in log order, and keeps the open jobs, the nodes, and a
bounded window of what came last.
"""

from projections.hindsight.job import Fold
from projections.hindsight.known import BEHIND_NEWER, Doubt, Known
from projections.hindsight.log import Hindsight, Standing
from projections.hindsight.members import Members

__all__ = ["BEHIND_NEWER", "Doubt", "Fold", "Hindsight", "Known", "Members", "Standing"]
