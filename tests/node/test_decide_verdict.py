"""Deciding what is lost, what is opened, what is accepted, who publishes, and how a job ends."""

import pytest

from events.decisions import (
    ExecutionsLostData,
    JobCancelled,
    JobClosed,
    JobCompletedData,
    JobFailedData,
    PublicationsAssignedData,
    PublicationsRevoked,
    PublicationsRevokedData,
    ResultsJudgedData,
    RevealsRequestedData,
    ShardsFailedData,
)
from events.facts import (
    ExecutionsFailed,
    ExecutionsFailedData,
    NodeLeft,
    NodeLeftData,
    PublishFailed,
    PublishFailedData,
    PublishStarted,
    PublishStartedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.items import Failure, Publication, PublishFailure, PublishStart
from events.requests import CancelRequested, CancelRequestedData
from events.subjects import NET
from node.decide import decide
from node.decide.nodes import decide_nodes
from node.effects import Append, Command
from node.policy import Policy
from tests.projections.conversation import CLAIM, FAILED, OTHER, Conversation, agreed, compute

POLICY = Policy(version="test", paid=frozenset({"paid"}))


def data_of(talk: Conversation, *, patrol: bool = False) -> object:
    """Return the data of the decision that is due, None if there is none."""
    found = decide(
        talk.job, talk.network.nodes, me="r0", now_ms=talk.now_ms, policy=POLICY, patrol=patrol
    )
    return next((effect.data for effect in found if isinstance(effect, Append)), None)


def awarded(replicas: int = 1, **fields: object) -> Conversation:
    """Return a conversation in which all replicas of one shard are awarded."""
    talk = Conversation(nodes=[f"n{number}" for number in range(4)])
    talk.submit(replicas=replicas, **fields)
    talk.plan(nodes=("n0", "n1", "n2", "n3"))
    talk.bid("n0", "n1", "n2", "n3")
    talk.award(*((0, number, f"n{number}") for number in range(replicas)))
    return talk


def accepted(publisher: str) -> Conversation:
    """Return a conversation in which two nodes agree, and the first is to publish."""
    talk = agreed(publishers=(publisher,))
    talk.judge(0, 1, publish=(0,))
    return talk


def leave(talk: Conversation, node: str, life: str = "1") -> None:
    talk.tell(node, NodeLeft, NodeLeftData(incarnation=f"{node}-{life}"), NET)


def start(talk: Conversation) -> None:
    item = PublishStart(0, 0, 0, talk.job.shards[0].slots[0].decision)
    talk.tell("n0", PublishStarted, PublishStartedData(starts=(item,)))


def refuse(talk: Conversation, node: str, attempt: int, *, permanent: bool = False) -> None:
    item = PublishFailure(0, 0, attempt, "io", "refused", permanent=permanent)
    talk.tell(node, PublishFailed, PublishFailedData(failures=(item,)))


def test_overdue_is_lost() -> None:
    """A patrol gives up on an execution whose time is over, not before."""
    talk = awarded()
    assert data_of(talk, patrol=True) is None
    talk.now_ms += 60_000
    lost = data_of(talk, patrol=True)

    assert isinstance(lost, ExecutionsLostData)
    assert lost.lost[0].reason == "no result in time"


def test_node_gone() -> None:
    """What was awarded to a node that left is lost when it stays away, not while it restarts."""
    talk = awarded()
    leave(talk, "n0")
    assert data_of(talk, patrol=True) is None
    talk.now_ms += POLICY.presence_ms

    lost = data_of(talk, patrol=True)
    assert isinstance(lost, ExecutionsLostData)
    assert lost.lost[0].reason == "its node left"


@pytest.mark.parametrize(("holds", "is_lost"), [(("job-0-0",), False), ((), True)])
def test_node_restarted(holds: tuple[str, ...], *, is_lost: bool) -> None:
    """A node that joins again keeps what it says it holds, and has lost the rest."""
    talk = awarded()
    talk.join("n0", compute(), life="2")
    talk.network.nodes.members["n0"].holds = set(holds)

    assert isinstance(data_of(talk, patrol=True), ExecutionsLostData) is is_lost


def test_reveal_waits_for_all() -> None:
    """Reveals are asked for when enough have committed and nobody else is under way."""
    talk = awarded(replicas=3, confidence=2)
    talk.propose("n0", 0)
    talk.propose("n1", 1)
    assert data_of(talk) is None

    talk.propose("n2", 2)
    reveals = data_of(talk)
    assert isinstance(reveals, RevealsRequestedData)
    assert [ref.attempt for ref in reveals.executions] == [0, 1, 2]


def test_reveal_without_the_failed() -> None:
    """Who failed is not waited for where enough others have committed."""
    talk = awarded(replicas=3, confidence=2)
    talk.propose("n0", 0)
    talk.propose("n1", 1)
    talk.tell("n2", ExecutionsFailed, ExecutionsFailedData(failures=(Failure(0, 2, "io", ""),)))

    assert isinstance(data_of(talk), RevealsRequestedData)


def test_judged_when_revealed() -> None:
    """The verdict follows the last reveal, and carries the first assignment."""
    talk = agreed(publishers=("free",))
    verdict = data_of(talk)

    assert isinstance(verdict, ResultsJudgedData)
    (judgement,) = verdict.judgements
    assert (judgement.result, judgement.accepted, judgement.claim) == ("accepted", (0, 1), CLAIM)
    assert [(given.slot, given.attempt) for given in judgement.publish] == [(0, 0)]


def test_withheld() -> None:
    """Who has not revealed by the deadline is judged as withholding, by a patrol."""
    talk = awarded(replicas=3, confidence=2)
    for number in range(3):
        talk.propose(f"n{number}", number)
    talk.ask(0, 1, 2)
    talk.reveal("n0", 0)
    talk.reveal("n1", 1)
    assert data_of(talk, patrol=True) is None

    talk.now_ms += POLICY.reveal_ms
    verdict = data_of(talk, patrol=True)
    assert isinstance(verdict, ResultsJudgedData)
    assert verdict.judgements[0].accepted == (0, 1)
    assert verdict.judgements[0].rejected[0].attempt == 2


def test_disagreement() -> None:
    """Two that differ fail the shard with the evidence, and the job as disagreement."""
    talk = awarded(replicas=2)
    talk.propose("n0", 0)
    talk.propose("n1", 1, OTHER)
    talk.ask(0, 1)
    talk.reveal("n0", 0)
    talk.reveal("n1", 1, OTHER)
    verdict = data_of(talk)

    assert isinstance(verdict, ResultsJudgedData)
    assert verdict.judgements[0].result == "failed"
    assert "n0 says" in verdict.judgements[0].reason


def test_user_error() -> None:
    """A command that exits with another code than 0 fails its job with that code, untried again."""
    talk = awarded()
    talk.propose("n0", 0, FAILED, plain=True)
    verdict = data_of(talk)
    assert isinstance(verdict, ResultsJudgedData)
    assert verdict.judgements[0].publish == ()

    talk.judge(0, claim=FAILED)
    end = data_of(talk)
    assert isinstance(end, JobFailedData)
    assert (end.code, end.exit_code, end.closed) == ("user", 3, True)


def test_completed() -> None:
    """A job whose shards are all published completes, and is closed when nothing is open."""
    talk = accepted("free")
    item = Publication(0, 0, 0, "free://x", CLAIM.cid, 100, 1)
    talk.tell("n0", ResultsPublished, ResultsPublishedData(publications=(item,)))
    end = data_of(talk)

    assert isinstance(end, JobCompletedData)
    assert end.closed
    assert end.manifest.shards[0].uris == ("free://x",)


def test_free_slot_goes_on() -> None:
    """A free publication that is not made in time goes to the next that agreed."""
    talk = accepted("free")
    assert data_of(talk) is None
    talk.now_ms += 60_000

    given = data_of(talk, patrol=True)
    assert isinstance(given, PublicationsAssignedData)
    assert [(a.attempt, a.lookup) for a in given.assignments] == [(1, False)]


def test_failed_publication_goes_on() -> None:
    """A publication that failed goes to a node that has not tried, at once."""
    talk = accepted("free")
    refuse(talk, "n0", 0)

    given = data_of(talk)
    assert isinstance(given, PublicationsAssignedData)
    assert given.assignments[0].attempt == 1


def test_paid_slot_is_revoked_first() -> None:
    """A paid slot is never given away without its revocation."""
    talk = accepted("paid")
    talk.now_ms += 60_000
    revoked = data_of(talk, patrol=True)
    assert isinstance(revoked, PublicationsRevokedData)

    talk.decide(PublicationsRevoked, PublicationsRevokedData, revoked=revoked.revoked)
    given = data_of(talk)
    assert isinstance(given, PublicationsAssignedData)
    assert [(a.attempt, a.lookup) for a in given.assignments] == [(1, False)]


def test_begun_slot_is_looked_up() -> None:
    """Where somebody had begun to pay, the service is asked, until a person must look."""
    talk = accepted("paid")
    start(talk)
    refuse(talk, "n0", 0)
    for _ in range(POLICY.lookups_max):
        talk.now_ms += POLICY.publish_backoff_ms_max
        given = data_of(talk, patrol=True)
        assert isinstance(given, PublicationsAssignedData)
        (item,) = given.assignments
        assert item.lookup
        talk.assign(0, item.attempt, lookup=True)
        refuse(talk, f"n{item.attempt}", item.attempt)
    end = data_of(talk, patrol=True)

    assert isinstance(end, ShardsFailedData)
    assert "a person must look" in end.shards[0].reason


def test_lookups_that_hang_end() -> None:
    """The last look-up is not waited for beyond its time."""
    talk = accepted("paid")
    start(talk)
    refuse(talk, "n0", 0)
    for _ in range(POLICY.lookups_max):
        talk.assign(0, 1, lookup=True)
        talk.now_ms += 60_000

    assert isinstance(data_of(talk, patrol=True), ShardsFailedData)


def test_hopeless_publisher() -> None:
    """When everybody who agreed has failed for good, the shard fails with the reason."""
    talk = accepted("free")
    refuse(talk, "n0", 0, permanent=True)
    talk.assign(0, 1)
    refuse(talk, "n1", 1, permanent=True)

    end = data_of(talk)
    assert isinstance(end, ShardsFailedData)
    assert "refused" in end.shards[0].reason


def test_any_publisher() -> None:
    """With `any`, the next publisher is tried when one has failed for good."""
    talk = agreed(publishers=("free", "paid"), publish="any")
    talk.judge(0, 1, publish=(0,))
    for attempt in (0, 1):
        if attempt:
            talk.assign(0, attempt)
        refuse(talk, f"n{attempt}", attempt, permanent=True)

    given = data_of(talk)
    assert isinstance(given, PublicationsAssignedData)
    assert [item.slot for item in given.assignments] == [1]


@pytest.mark.parametrize(("publish", "opened"), [("any", [1]), (2, [1, 2])])
def test_publisher_of_nobody(publish: str | int, opened: list[int]) -> None:
    """Where fewer copies will do, one that nobody who agreed can make holds up no other."""
    talk = agreed(publishers=("paid", "free", "free"), publish=publish, made_by=("free",))
    verdict = data_of(talk)
    assert isinstance(verdict, ResultsJudgedData)
    assert [item.slot for item in verdict.judgements[0].publish] == opened

    talk.judge(0, 1)
    given = data_of(talk)
    assert isinstance(given, PublicationsAssignedData)
    assert [item.slot for item in given.assignments] == opened


def test_publisher_of_somebody_gone() -> None:
    """A node that is gone has its time to come back; then the next publisher stands in."""
    talk = agreed(publishers=("free", "paid"), publish="any", made_by=("paid",))
    talk.join("n0", compute(), life="2")
    talk.judge(0, 1, publish=(0,))
    leave(talk, "n0", life="2")
    assert data_of(talk, patrol=True) is None
    talk.now_ms += 60_000

    given = data_of(talk, patrol=True)
    assert isinstance(given, PublicationsAssignedData)
    assert [(item.slot, item.attempt) for item in given.assignments] == [(1, 1)]


def test_all_publishers_wait() -> None:
    """Where every copy is asked for, one that nobody can make now is waited for."""
    talk = agreed(publishers=("paid", "free"), made_by=("free",))
    talk.judge(0, 1, publish=(1,))
    assert data_of(talk, patrol=True) is None


def test_deadline() -> None:
    """A job fails at its deadline, whatever is under way, and waits for its nodes to stop."""
    talk = awarded()
    talk.now_ms = talk.job.deadline_ms
    end = data_of(talk)

    assert isinstance(end, JobFailedData)
    assert (end.code, end.closed) == ("deadline", False)


def test_cancel() -> None:
    """A cancel is granted while the job runs, and closed at once where nothing was begun."""
    talk = Conversation()
    talk.submit()
    talk.plan()
    talk.tell("client", CancelRequested, CancelRequestedData(reason="no more"))
    found = decide(talk.job, talk.network.nodes, me="r0", now_ms=talk.now_ms, policy=POLICY)

    assert isinstance(found[0], Append)
    assert found[0].kind is JobCancelled
    assert getattr(found[0].data, "closed", None) is True


def test_closed_after_a_grace() -> None:
    """An ended job is closed when its nodes have stopped, or after a grace without their word."""
    talk = awarded()
    talk.tell("client", CancelRequested, CancelRequestedData())
    (cancel, *_) = decide(talk.job, talk.network.nodes, me="r0", now_ms=talk.now_ms, policy=POLICY)
    assert isinstance(cancel, Append)
    talk.tell("r0", cancel.kind, cancel.data)
    patrol = decide(
        talk.job, talk.network.nodes, me="r0", now_ms=talk.now_ms, policy=POLICY, patrol=True
    )
    told = [effect.orders for effect in patrol if isinstance(effect, Command)]
    assert told
    assert all(orders.closed for orders in told)

    talk.now_ms += POLICY.close_grace_ms
    (close, *_) = decide(talk.job, talk.network.nodes, me="r0", now_ms=talk.now_ms, policy=POLICY)
    assert isinstance(close, Append)
    assert close.kind is JobClosed


def test_silent_node_is_lost() -> None:
    """A node that was heard of and is silent for too long is lost, in this life of it."""
    talk = Conversation()
    nodes = talk.network.nodes
    heard = {"n0": talk.now_ms, "n1": talk.now_ms + 5_000}
    later_ms = talk.now_ms + POLICY.presence_ms

    def lost(now_ms: int, me: str = "r0") -> list[str]:
        found = decide_nodes(nodes, heard, me=me, now_ms=now_ms, policy=POLICY)
        assert all(isinstance(e, Append) and e.fence == nodes.fence for e in found)
        return [getattr(e.data, "incarnation", "") for e in found if isinstance(e, Append)]

    assert lost(later_ms - 1) == []
    assert lost(later_ms) == ["n0-1"]
    assert lost(later_ms, me="r1") == []
    assert lost(later_ms + POLICY.overdue_grace_ms, me="r1") == ["n0-1"]
