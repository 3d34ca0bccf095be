"""What the author of a decision knew when it decided, as far as the log can tell."""

from collections.abc import Mapping
from typing import NamedTuple

from projections.nodes import Node
from projections.state import Job

BEHIND_NEWER = "stands behind what only a newer version of Lota knows"
NODES_NEWER = "events about nodes are only known to a newer version of Lota"


class Doubt(NamedTuple):
    """Why something cannot be known of a decision.

    With a `rule` the decision itself is to blame: it says of what it knew what the log denies, and
    `right` is what the log says. Without one the log does not hold enough.
    """

    what: str
    rule: int = 0
    right: str = ""


class Known(NamedTuple):
    """The job and the nodes that a decision was made about; None for what cannot be known.

    `doubts` says why. A decision about a node has no job.
    """

    job: Job | None
    nodes: Mapping[str, Node] | None
    doubts: tuple[Doubt, ...] = ()
