"""The audit: hold every event of a log against the rules, and prove every decision again.

It is the same fold as everywhere (`projections.evolve`, `projections.nodes`). The difference is
when a job's facts are folded: they wait until the next decision of the job says in `seen` how many
of them its author knew. So each decision is held against the job exactly as it was decided about,
and the nodes are looked up as they were at its `members`. Pure: it is given messages, in log order,
and keeps the open jobs, the nodes, and a bounded window of what came last.

`docs/audit.md` says what is checked and what is not.
"""

from projections.audit.finding import WHOLE, Finding, Report, Scope
from projections.audit.log import Audit

__all__ = ["WHOLE", "Audit", "Finding", "Report", "Scope"]
