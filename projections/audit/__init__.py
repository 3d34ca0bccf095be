"""The audit: hold every event of a log against the rules, and prove every decision again.

Each decision is held against what its author knew (`projections.hindsight`). Pure: it is given
messages, in log order. `docs/audit.md` says what is checked and what is not.
"""

from projections.audit.finding import WHOLE, Finding, Report, Scope
from projections.audit.log import Audit

__all__ = ["WHOLE", "Audit", "Finding", "Report", "Scope"]
