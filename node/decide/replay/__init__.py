"""Decision replay: what `decide` of today makes of what the authors of recorded decisions knew.

`docs/replay.md` says what can be told by it and what cannot.
"""

from node.decide.replay.again import Again, Instead, decide_again
from node.decide.replay.check import Check, Checked, Explained
from node.decide.replay.difference import Change, Difference, changes
from node.decide.replay.supposed import Supposed
from node.decide.replay.what_if import WhatIf

__all__ = [
    "Again",
    "Change",
    "Check",
    "Checked",
    "Difference",
    "Explained",
    "Instead",
    "Supposed",
    "WhatIf",
    "changes",
    "decide_again",
]
