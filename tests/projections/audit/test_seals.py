"""Decisions against what was on the log when they were made: seals, fences, members."""

import pytest

from events.codec import encode
from events.decisions import NodeLost, NodeLostData
from events.subjects import NET
from projections.audit import Finding, Scope
from tests.projections.audit.forging import JOB, Forged, Message, honest, place, replace


def test_changed() -> None:
    """One changed character of a fact is found by the next seal, and by that one alone."""
    log = honest()
    message = log.messages[log.find("results.proposed")]
    message.body = message.body.replace(b'"id":"E', b'"id":"e')

    (finding,) = log.audit().findings
    assert (finding.kind, finding.rule, finding.type) == ("forged", 12, "reveals.requested")


def test_removed() -> None:
    """A removed fact is found by the next seal."""
    log = honest()
    del log.messages[log.find("executions.started")]

    finding = log.finding()
    assert (finding.kind, finding.rule) == ("forged", 12)


def test_last_removed() -> None:
    """A decision that counts more events than there are says that some are missing."""
    log = honest()
    at = log.find("bids.placed", 3)
    del log.messages[at]

    finding = log.finding()
    assert (finding.position, finding.rule) == (at + 1, 12)
    assert finding.what == "it has seen 6 events, and only 5 stand before it"


def test_unfenced() -> None:
    """A decision that has not seen the one before it broke the fence."""
    log = honest()
    at = log.find("shards.awarded")
    award = log.messages[at]
    assert award.saw is not None
    saw = award.saw
    event = award.event
    log.insert(at, Message(award.subject, encode(replace(event, id="other"))))
    log.messages[at].saw = award.saw = saw
    log.seal()

    findings = log.audit().findings
    assert ("forged", 1) in {(one.kind, one.rule) for one in findings}


def test_foreign_fence() -> None:
    """Also a message that is no event moved the fence, if it stands among the decisions."""
    log = honest()
    at = log.find("shards.awarded")
    log.insert(at, Message(place(JOB, "r", "r0", "shards.awarded"), b"{}"))

    kinds = [(one.kind, one.rule) for one in log.audit().findings]
    assert kinds == [("foreign", 0), ("forged", 1)]


@pytest.mark.parametrize("members", [4, 6])
def test_other_members(members: int) -> None:
    """A decision among fewer nodes than its author knew, or more than there were, is forged."""
    log = honest()
    log.change("shards.awarded", lambda data: replace(data, members=members))

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.right) == (
        "forged",
        7,
        "by its place in the log it was 5 to 5",
    )


def test_before_members() -> None:
    """A log from before members were recorded cannot be proved in this, and is not wrong."""
    log = honest()
    for kind in ("shards.awarded", "publications.assigned", "job.completed"):
        log.change(kind, lambda data: replace(data, members=0))
    for kind in ("reveals.requested", "results.judged"):
        for nth in range(2):
            log.change(kind, lambda data: replace(data, members=0), nth)

    report = log.audit()
    assert report.clean
    assert report.unprovable == {"made before decisions recorded the members": 7}
    assert report.proved["plans"] == 1


def test_members_left_out() -> None:
    """Who has recorded the members once cannot leave them out to avoid a proof."""
    log = honest()
    log.change("results.judged", lambda data: replace(data, members=0))

    assert log.finding().what == "it was made among 0 events about nodes"


def test_without_nodes() -> None:
    """Without the events about nodes, what needs them is counted and all else is proved."""
    log = honest()
    del log.messages[: log.find("job.submitted")]

    report = log.audit(Scope(nodes=False))
    assert report.clean
    assert report.unprovable == {"the events about nodes are not there": 8}
    assert (report.proved["verdicts"], report.proved["roots"]) == (2, 1)


def lost(node: str, incarnation: str, seen: int) -> Finding | None:
    """Return what is found of a decision that loses a node."""
    log: Forged = honest()
    data = NodeLostData(
        seen=seen, seal="", policy="test", node=node, incarnation=incarnation, reason="silent"
    )
    log.tell(len(log.messages), "r0", NodeLost, data, job=NET)
    report = log.audit()
    return report.findings[0] if report.findings else None


def test_lost_node() -> None:
    """A node may be lost in the life that it has, by who has seen that it lives it."""
    assert lost("n0", "n0-1", 5) is None


@pytest.mark.parametrize(
    ("node", "incarnation", "seen", "rule"),
    [("n0", "n0-2", 5, 11), ("n9", "n9-1", 5, 11), ("n2", "n2-1", 4, 11), ("n0", "n0-1", 6, 1)],
    ids=["another life", "nobody", "not joined yet", "unseen"],
)
def test_not_to_be_lost(node: str, incarnation: str, seen: int, rule: int) -> None:
    """A node is not lost in another life, nor before it joined."""
    finding = lost(node, incarnation, seen)

    assert finding is not None
    assert (finding.type, finding.rule) == ("node.lost", rule)
