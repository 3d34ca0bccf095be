"""The log event by event: what each changed, why it came, and what of it came too late.

`Walk` folds one message at a time by the live fold and looks at the parts that the message names,
before and after (`picture`); what differs are its `changes`.
"""

from projections.steps.causes import Cause
from projections.steps.changes import Change
from projections.steps.walk import Step, Walk

__all__ = ["Cause", "Change", "Step", "Walk"]
