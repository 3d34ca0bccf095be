"""Deciding who is asked and who runs what."""

import msgspec

from events.decisions import (
    JobPlannedData,
    ShardsAwardedData,
    ShardsFailedData,
    ShardsOfferedData,
)
from events.facts import (
    BidsDeclined,
    BidsDeclinedData,
    ExecutionsFailed,
    ExecutionsFailedData,
    NodeDrained,
    NodeDrainedData,
)
from events.items import Award, Decline, Failure
from events.subjects import NET
from node.decide import decide
from node.effects import Append, Command, Effect, WakeAt
from node.policy import Policy
from tests.projections.conversation import Conversation, compute

POLICY = Policy(version="test", paid=frozenset({"paid"}))


def effects(talk: Conversation, *, patrol: bool = False, me: str = "r0") -> list[Effect]:
    return decide(
        talk.job, talk.network.nodes, me=me, now_ms=talk.now_ms, policy=POLICY, patrol=patrol
    )


def decided(talk: Conversation, *, patrol: bool = False) -> Append | None:
    """Return the decision that is due, None if there is none."""
    found = [effect for effect in effects(talk, patrol=patrol) if isinstance(effect, Append)]
    assert len(found) <= 1
    return found[0] if found else None


def awards(talk: Conversation) -> tuple[Award, ...]:
    decision = decided(talk)
    return decision.data.awards if decision and isinstance(decision.data, ShardsAwardedData) else ()


def offers(talk: Conversation, *, patrol: bool = False) -> list[tuple[str, ...]]:
    decision = decided(talk, patrol=patrol)
    if decision is None or not isinstance(decision.data, ShardsOfferedData | JobPlannedData):
        return []
    return [offer.nodes for offer in decision.data.offers]


def planned(*, nodes: int = 4, offered: int = 4, **fields: object) -> Conversation:
    """Return a conversation whose job is planned and offered to the first nodes."""
    names = tuple(f"n{number}" for number in range(nodes))
    talk = Conversation(nodes=names)
    talk.submit(**fields)
    shards = fields.get("shards", 1)
    assert isinstance(shards, int)
    talk.plan(shards=shards, nodes=names[:offered])
    return talk


def fail(talk: Conversation, node: str, attempt: int, shard: int = 0) -> None:
    data = ExecutionsFailedData(failures=(Failure(shard, attempt, "io", "disk full"),))
    talk.tell(node, ExecutionsFailed, data)


def decline(talk: Conversation, node: str, offer: int = 0) -> None:
    data = BidsDeclinedData(declines=(Decline(offer, "busy", "it is busy"),))
    talk.tell(node, BidsDeclined, data)


def test_same_view_same_effects() -> None:
    """Deciding twice over the same state gives the same effects, to the byte."""
    talk = planned(replicas=2, shards=5)
    talk.bid("n0", "n1", "n2", "n3")

    first, again = effects(talk, patrol=True), effects(talk, patrol=True)
    assert msgspec.json.encode([str(e) for e in first]) == msgspec.json.encode(
        [str(e) for e in again]
    )


def test_decision_records_its_making() -> None:
    """A decision carries what its author had seen, the seal over it, its fence and its policy."""
    talk = planned()
    talk.bid("n0", "n1", "n2", "n3")
    decision = decided(talk)

    assert decision is not None
    job = talk.job
    assert isinstance(decision.data, ShardsAwardedData)
    assert (decision.data.seen, decision.data.seal) == (job.seen, job.seal.hex())
    assert (decision.data.policy, decision.fence) == (POLICY.version, job.fence)
    assert decision.cause == job.last_event


def test_plan_asks_so_many() -> None:
    """The plan offers each group to twice the replicas, whatever the size of the network."""
    for nodes in (6, 60):
        talk = Conversation(nodes=[f"n{number}" for number in range(nodes)])
        talk.submit(replicas=3, shards=100)
        groups = offers(talk)

        assert len(groups) == POLICY.groups_max
        assert all(len(set(names)) == 6 for names in groups)


def test_plan_without_nodes() -> None:
    """A job is planned without offers while too few nodes can run it, and offered when they can."""
    talk = Conversation(nodes=["n0"])
    talk.submit(replicas=2)
    assert offers(talk) == []

    talk.plan(nodes=())
    assert decided(talk) is None
    talk.join("n1", compute())
    assert [set(names) for names in offers(talk)] == [{"n0", "n1"}]


def test_waits_for_bids() -> None:
    """An award waits until all who were asked have answered, or had the time to."""
    talk = planned()
    talk.bid("n0")
    assert awards(talk) == ()
    assert min(e.ms for e in effects(talk) if isinstance(e, WakeAt)) <= talk.now_ms + 2_000

    talk.now_ms += POLICY.bids_ms
    assert [award.node for award in awards(talk)] == ["n0"]


def test_all_answered() -> None:
    """When everybody has said yes or no, nobody waits any longer."""
    talk = planned()
    talk.bid("n2")
    for name in ("n0", "n1", "n3"):
        decline(talk, name)

    assert [award.node for award in awards(talk)] == ["n2"]


def test_min_bids() -> None:
    """Fewer bids than the deal wants lead to further offers, not to an award."""
    talk = planned(nodes=6, offered=3, min_bids=3)
    talk.bid("n0", "n1")
    decline(talk, "n2")

    assert awards(talk) == ()
    assert len(offers(talk)) == 1
    assert not set(offers(talk)[0][:3]) & {"n0", "n1", "n2"}


def test_distinct_nodes() -> None:
    """The replicas of a shard go to distinct nodes, or wait."""
    talk = planned(nodes=3, offered=2, replicas=2, shards=3)
    talk.bid("n0", "n1")
    for shard in range(3):
        assert {a.node for a in awards(talk) if a.shard == shard} == {"n0", "n1"}

    talk = planned(nodes=3, offered=2, replicas=2)
    talk.bid("n0")
    decline(talk, "n1")
    assert awards(talk) == ()


def test_spread() -> None:
    """Shards are spread over bidders in proportion to how wide they are."""
    talk = planned(shards=90)
    talk.bid("n0", "n1", free=100, width=1)
    talk.bid("n2", "n3", free=100, width=2)
    given = awards(talk)

    load = {
        name: sum(1 for award in given if award.node == name) for name in talk.job.offers[0].nodes
    }
    assert len(given) == 90
    assert max(abs(load[name] - 15) for name in ("n0", "n1")) <= 1
    assert max(abs(load[name] - 30) for name in ("n2", "n3")) <= 1


def test_no_more_than_bid() -> None:
    """A node gets no more at one time than it bid for, and more when it has told some."""
    talk = planned(nodes=1, offered=1, shards=5)
    talk.bid("n0", free=2)
    assert [award.shard for award in awards(talk)] == [0, 1]

    talk.award((0, 0, "n0"), (1, 0, "n0"))
    assert awards(talk) == ()
    fail(talk, "n0", 0, shard=1)
    assert len(awards(talk)) == 1


def test_retry_excludes_tried() -> None:
    """A retry goes to a node that has not tried, though one that has bids again."""
    talk = planned()
    talk.bid("n0", "n1", "n2", "n3")
    first = awards(talk)[0].node
    talk.award((0, 0, first))
    fail(talk, first, 0)

    assert awards(talk)[0].node != first


def test_retry_asks_others_first() -> None:
    """With nobody left who has not tried, others are asked before the same node tries again."""
    talk = planned(nodes=4, offered=1)
    talk.bid("n0")
    talk.award((0, 0, "n0"))
    fail(talk, "n0", 0)

    assert awards(talk) == ()
    assert "n0" not in offers(talk)[0]


def test_retry_same_node() -> None:
    """A node tries again when it is the only one."""
    talk = planned(nodes=1, offered=1)
    talk.bid("n0")
    talk.award((0, 0, "n0"))
    fail(talk, "n0", 0)

    assert [(award.attempt, award.node) for award in awards(talk)] == [(1, "n0")]


def test_retries_end() -> None:
    """A shard is given up on when its executions have failed as often as they may."""
    talk = planned(nodes=1, offered=1)
    talk.bid("n0")
    for attempt in range(1 + POLICY.retries_max):
        assert len(awards(talk)) == 1
        talk.award((0, attempt, "n0"))
        fail(talk, "n0", attempt)
    decision = decided(talk)

    assert decision is not None
    assert isinstance(decision.data, ShardsFailedData)
    assert "disk full" in decision.data.shards[0].reason


def test_offers_go_on() -> None:
    """After everybody declined, all are asked again, after a pause that doubles."""
    talk = planned(nodes=2, offered=2)
    pauses = []
    for number in range(4):
        decline(talk, "n0", number)
        decline(talk, "n1", number)
        began_ms = talk.now_ms
        while not offers(talk):
            talk.now_ms += 250
        pauses.append(talk.now_ms - began_ms)
        talk.offer("n0", "n1")

    assert pauses == [1_000, 2_000, 4_000, 8_000]


def test_draining_node() -> None:
    """A draining node gets nothing new, though it has bid."""
    talk = planned(nodes=2, offered=2)
    talk.bid("n0", "n1")
    talk.tell("n0", NodeDrained, NodeDrainedData(incarnation="n0-1"), NET)

    assert [award.node for award in awards(talk)] == ["n1"]


def test_awards_by_rounds() -> None:
    """While nodes have most of what they bid for, only a patrol fills places that fall free."""
    talk = planned(nodes=1, offered=1, shards=100)
    talk.bid("n0", free=40)
    talk.award(*((shard, 0, "n0") for shard in range(40)))
    fail(talk, "n0", 0, shard=0)

    assert awards(talk) == ()
    patrol = decided(talk, patrol=True)
    assert patrol is not None
    assert isinstance(patrol.data, ShardsAwardedData)


def test_owed_is_repeated() -> None:
    """A patrol repeats to each node what it owes; other decisions do not."""
    talk = planned(nodes=3, offered=3)
    talk.bid("n0")
    asked = {e.node for e in effects(talk, patrol=True) if isinstance(e, Command) and e.nudge}

    assert asked == {"n1", "n2"}
    assert not any(isinstance(effect, Command) for effect in effects(talk))


def test_another_owner() -> None:
    """Who does not own a job leaves it alone, but wakes to see whether anybody does."""
    talk = planned()
    talk.bid("n0", "n1", "n2", "n3")

    for patrol in (False, True):
        (only,) = effects(talk, me="r1", patrol=patrol)
        assert isinstance(only, WakeAt)


def test_overdue_is_anybodys() -> None:
    """What its owner leaves lying for a grace is taken up, and stays with who took it up."""
    talk = planned()
    talk.bid("n0", "n1", "n2", "n3")
    talk.now_ms += POLICY.overdue_grace_ms
    taken = effects(talk, me="r1", patrol=True)
    assert isinstance(taken[0], Append)

    data = taken[0].data
    talk.tell("r1", taken[0].kind, data)
    assert talk.job.decider == "r1"
    assert any(not isinstance(effect, WakeAt) for effect in effects(talk, me="r1", patrol=True))
