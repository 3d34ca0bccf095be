"""Decision replay: what `decide` of today makes of what the authors of recorded decisions knew.

`docs/replay.md` says what can be told by it and what cannot.
"""

from node.decide.replay.again import Again, Instead, decide_again
from node.decide.replay.check import Check, Checked
from node.decide.replay.difference import Change, Difference, changes

__all__ = [
    "Again",
    "Change",
    "Check",
    "Checked",
    "Difference",
    "Instead",
    "changes",
    "decide_again",
]
