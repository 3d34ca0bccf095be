"""Illegal items by the rule that they break, and what would have been right.

The fold says in a few words why it skipped an item; the words stand here as it says them.
"""

from typing import NamedTuple

from projections.state import Story


class Ruling(NamedTuple):
    """The number of a rule of docs/protocol.md, and what it asks for."""

    rule: int
    right: str


_BY_WHY = {
    "it was not made to this node": Ruling(2, "only a node that was asked answers an offer"),
    "there is no such offer": Ruling(2, "a bid names an offer that was made"),
    "the deal's replicas are all placed": Ruling(
        2, "accepted and open executions together stay within the deal's replicas"
    ),
    "the node already runs a replica of this shard": Ruling(
        2, "the replicas of a shard are on distinct nodes"
    ),
    "it assigns slots that an award may not": Ruling(
        13, "only with one replica and no verifier does an award assign publications"
    ),
    "nobody asked for it": Ruling(5, "a commitment is opened when its reveal was requested"),
    "it is not what was sealed": Ruling(5, "a reveal opens the commitment made before"),
    "the deal asks to commit first": Ruling(5, "with replicas a proposal is a commitment alone"),
    "it names no execution of the shard": Ruling(5, "a verdict names executions of its shard"),
    "an acceptance names its claim": Ruling(5, "an acceptance names its claim and who made it"),
    "it needs a verdict first": Ruling(6, "a result is published after its verdict"),
    "it is not what was accepted": Ruling(6, "what is published is the accepted result"),
    "it was not assigned": Ruling(6, "who publishes was assigned the slot"),
    "only an accepted execution publishes": Ruling(6, "a slot goes to an accepted execution"),
    "not every shard is completed": Ruling(7, "all shards are completed before"),
    "it is another root": Ruling(7, "the root is the folder over the accepted results"),
}
_BY_NOUN = {
    "publications": Ruling(6, "a publishing slot moves as the transition table says"),
    "publish": Ruling(6, "a publishing slot moves as the transition table says"),
    "reveals": Ruling(5, "reveals are requested once, before the verdict"),
    "results": Ruling(5, "commit, reveal and verdict follow each other once"),
    "job": Ruling(10, "a job is planned once, ends once and is closed once"),
    "cancel": Ruling(10, "a job that has not ended can be cancelled"),
    "node": Ruling(11, "a decision about a node names one that has joined"),
}
_ANY = Ruling(2, "a fact is about an execution of its author, a decision about what there is")
_ATTEMPT = Ruling(3, "attempts at a shard are counted without a gap")


def ruling(story: Story) -> Ruling:
    """Return which rule an illegal item breaks."""
    if story.why.startswith("the next attempt is"):
        return _ATTEMPT
    known = _BY_WHY.get(story.why)
    return known if known is not None else _BY_NOUN.get(story.kind.partition(".")[0], _ANY)
