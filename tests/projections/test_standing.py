"""The standing of nodes: how their claims were judged, over all jobs."""

from tests.projections.conversation import Conversation, agreed


def standing(talk: Conversation) -> dict[str, tuple[int, int]]:
    """Return how often each compute node agreed and differed."""
    return {
        name: (node.agreed, node.differed)
        for name, node in talk.network.nodes.members.items()
        if "compute" in node.capabilities.roles
    }


def test_who_agreed_gains_standing() -> None:
    """A verdict counts for the nodes whose claims it accepted, and for no other."""
    talk = agreed()
    talk.judge(0, 1)
    assert standing(talk) == {"n0": (1, 0), "n1": (1, 0), "n2": (0, 0)}


def test_a_verdict_that_is_not_legal_changes_no_standing() -> None:
    """What the fold skips, as a second verdict on a shard, says nothing about anybody."""
    talk = agreed()
    talk.judge(0, 1)
    talk.judge(0, 1)
    assert talk.job.illegal
    assert standing(talk) == {"n0": (1, 0), "n1": (1, 0), "n2": (0, 0)}
