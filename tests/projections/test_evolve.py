"""A job's fold, as conversations: given these events, when this one comes, then that is so."""

from collections.abc import Callable

import msgspec
import pytest

from events.decisions import (
    ExecutionsLost,
    ExecutionsLostData,
    JobClosed,
    JobClosedData,
    JobCompleted,
    JobCompletedData,
    JobFailed,
    JobFailedData,
    PublicationsRevoked,
    PublicationsRevokedData,
    ShardsFailed,
    ShardsFailedData,
)
from events.facts import (
    BidsPlaced,
    BidsPlacedData,
    ExecutionsFailed,
    ExecutionsFailedData,
    ExecutionsStarted,
    ExecutionsStartedData,
    PublishFailed,
    PublishFailedData,
    PublishStarted,
    PublishStartedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.items import (
    Bid,
    ExecutionRef,
    Failure,
    Loss,
    Manifest,
    Publication,
    PublishFailure,
    PublishStart,
    Revocation,
    ShardFailure,
)
from events.seal import EMPTY, extend
from projections.state import Job
from tests.projections.conversation import CLAIM, FAILED, OTHER, Conversation, agreed

COUNTED = {
    "seen", "seal", "fence", "last_event", "last_decision", "decider", "touched_ms",
    "late", "illegal", "stories", "recent",
}  # fmt: skip


def essence(job: Job) -> bytes:
    """Return all of a job but what every event changes."""
    kept = {name: getattr(job, name) for name in job.__struct_fields__ if name not in COUNTED}
    return msgspec.json.encode(kept)


def lose(talk: Conversation, attempt: int, shard: int = 0) -> None:
    talk.decide(ExecutionsLost, ExecutionsLostData, lost=(Loss(shard, attempt, "gone"),))


def fail(talk: Conversation, node: str, attempt: int) -> None:
    data = ExecutionsFailedData(failures=(Failure(0, attempt, "io", "disk full"),))
    talk.tell(node, ExecutionsFailed, data)


def published(
    talk: Conversation,
    node: str,
    attempt: int,
    *,
    slot: int = 0,
    cid: str = CLAIM.cid,
    at: str = "",
) -> None:
    item = Publication(0, 0, attempt, f"free://{at or node}", cid, 100, 1)
    talk.tell(node, ResultsPublished, ResultsPublishedData(publications=(item,)))


def unpublished(
    talk: Conversation,
    node: str,
    attempt: int,
    *,
    permanent: bool = False,
    unpaid: bool = False,
    of: str = "",
) -> None:
    item = PublishFailure(0, 0, attempt, "io", "refused", permanent, unpaid, assignment=of)
    talk.tell(node, PublishFailed, PublishFailedData(failures=(item,)))


def start_paying(talk: Conversation, node: str, attempt: int) -> None:
    item = PublishStart(0, 0, attempt, talk.job.shards[0].slots[0].decision)
    talk.tell(node, PublishStarted, PublishStartedData(starts=(item,)))


def revoke(talk: Conversation, attempt: int = 0) -> None:
    data = (Revocation(0, 0, attempt, "slow"),)
    talk.decide(PublicationsRevoked, PublicationsRevokedData, revoked=data)


def give_up(talk: Conversation) -> None:
    failure = ShardFailure(0, "publishing", "no use")
    talk.decide(ShardsFailed, ShardsFailedData, shards=(failure,))


def running(**fields: object) -> Conversation:
    """Return a conversation in which one execution is awarded."""
    talk = Conversation()
    talk.submit(**fields)
    talk.plan()
    talk.award((0, 0, "n0"))
    return talk


def test_whole_story() -> None:
    """Two nodes that agree make a shard that is accepted, published and completed."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    published(talk, "n0", 0)

    shard = talk.job.shards[0]
    assert (shard.state, shard.slots[0].state) == ("completed", "published")
    assert [execution.state for execution in shard.executions] == ["accepted", "accepted"]
    assert (talk.job.late, talk.job.illegal) == (0, 0)


def test_lost_is_final() -> None:
    """What a node says after its execution was given up on is late."""
    talk = running(replicas=2)
    lose(talk, 0)
    talk.propose("n0", 0)

    execution = talk.job.shards[0].executions[0]
    assert (execution.state, execution.ended, talk.job.late) == ("lost", True, 1)


def test_started_late_is_no_end() -> None:
    """A lost execution that says it has begun is not over: its node must still be told to stop."""
    talk = running()
    lose(talk, 0)
    refs = ExecutionsStartedData(executions=(ExecutionRef(0, 0),))
    talk.tell("n0", ExecutionsStarted, refs)

    assert not talk.job.shards[0].executions[0].ended


def test_decision_beats_unseen_fact() -> None:
    """An acceptance stands although its execution had failed before it was stored."""
    talk = agreed()
    fail(talk, "n0", 0)
    talk.judge(0, 1)

    assert talk.job.shards[0].state == "completed"


def test_concluded_beats_loss() -> None:
    """A claim that is its own verdict is not lost by a decision that had not seen it."""
    talk = running(verifier="none")
    talk.propose("n0", 0, plain=True)
    lose(talk, 0)

    assert talk.job.shards[0].state == "completed"
    assert (talk.job.late, talk.job.illegal) == (1, 0)


@pytest.mark.parametrize("decide", [revoke, give_up, lambda talk: talk.assign(0, 1)])
def test_published_beats_overtaken(decide: Callable[[Conversation], None]) -> None:
    """A shard that a publication completes stays so, whatever was decided without knowing it."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    published(talk, "n0", 0)
    before = essence(talk.job)
    decide(talk)

    assert essence(talk.job) == before
    assert (talk.job.late, talk.job.illegal) == (1, 0)


def test_fact_of_another_node() -> None:
    """A fact about an execution counts only from the node it was awarded to."""
    talk = running()
    before = essence(talk.job)
    talk.propose("n1", 0)

    assert essence(talk.job) == before
    assert talk.job.stories[0].why == "it is n0's execution"


def test_story_of_an_illegal_item() -> None:
    """A skipped item is kept with the job, the state, the event and what led to it."""
    talk = running()
    talk.award((0, 5, "n1"))

    story = talk.job.stories[0]
    assert (story.job, story.kind, story.author) == ("job", "shards.awarded", "r0")
    assert story.why == "the next attempt is 1"
    assert story.recent[-1].startswith("shards.awarded by r0")


ILLEGAL: dict[str, tuple[Callable[[], Conversation], Callable[[Conversation], None]]] = {
    "more than the replicas": (running, lambda talk: talk.award((0, 1, "n1"))),
    "a node twice": (lambda: running(replicas=2), lambda talk: talk.award((0, 1, "n0"))),
    "no such shard": (running, lambda talk: talk.award((9, 0, "n1"))),
    "no such execution": (running, lambda talk: talk.propose("n0", 3)),
    "planned twice": (running, Conversation.plan),
    "submitted twice": (running, Conversation.submit),
    "completed too early": (
        running,
        lambda talk: talk.decide(
            JobCompleted, JobCompletedData, root_cid="x", dag_size_bytes=1, manifest=Manifest(0)
        ),
    ),
    "closed before its end": (running, lambda talk: talk.decide(JobClosed, JobClosedData)),
    "bid unasked": (running, lambda talk: talk.bid("n9")),
    "no such offer": (running, lambda talk: talk.bid("n0", offer=4)),
    "claim in clear": (
        lambda: running(replicas=2),
        lambda talk: talk.propose("n0", 0, plain=True),
    ),
    "judged twice": (lambda: _judged(agreed()), lambda talk: talk.judge(0, 1)),
    "awarded when completed": (lambda: _judged(agreed()), lambda talk: talk.award((0, 2, "n2"))),
    "published unassigned": (
        lambda: _judged(agreed(publishers=("free",))),
        lambda talk: published(talk, "n0", 0),
    ),
    "assigned to who lost": (
        lambda: _judged(agreed(publishers=("free",))),
        lambda talk: talk.assign(0, 2),
    ),
    "paid slot given away": (lambda: _paying(), lambda talk: talk.assign(0, 1)),  # noqa: PLW0108
}  # fmt: skip


def _judged(talk: Conversation) -> Conversation:
    talk.judge(0, 1)
    return talk


def _paying() -> Conversation:
    talk = agreed(publishers=("paid",))
    talk.judge(0, 1, publish=(0,))
    start_paying(talk, "n0", 0)
    return talk


def _looked_up(talk: Conversation) -> None:
    revoke(talk)
    talk.assign(0, 1, lookup=True)


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_changes_nothing(name: str) -> None:
    """An illegal item is counted, and leaves the job as it was."""
    given, when = ILLEGAL[name]
    talk = given()
    before = essence(talk.job)
    when(talk)

    assert talk.job.illegal == 1
    assert essence(talk.job) == before


def test_items_one_by_one() -> None:
    """An illegal item of a list does not take the others along."""
    talk = Conversation()
    talk.submit(shards=3)
    talk.plan(shards=3)
    talk.award((0, 0, "n0"), (0, 1, "n1"), (2, 0, "n2"))

    assert [len(shard.executions) for shard in talk.job.shards] == [1, 0, 1]
    assert talk.job.illegal == 1


def test_reveal_unasked() -> None:
    """A reveal that nobody asked for is void."""
    talk = running(replicas=2)
    talk.propose("n0", 0)
    talk.reveal("n0", 0)

    assert talk.job.shards[0].executions[0].claim is None
    assert talk.job.illegal == 1


@pytest.mark.parametrize(("claim", "nonce"), [(OTHER, "ab" * 32), (CLAIM, "cd" * 32)])
def test_reveal_of_something_else(claim: object, nonce: str) -> None:
    """A reveal that does not open its commitment is void, and the right one still counts."""
    talk = running(replicas=2)
    talk.award((0, 1, "n1"))
    talk.propose("n0", 0)
    talk.propose("n1", 1)
    talk.ask(0, 1)
    talk.reveal("n0", 0, claim, nonce)  # type: ignore[arg-type]
    execution = talk.job.shards[0].executions[0]
    assert (execution.state, talk.job.illegal) == ("proposed", 1)

    talk.reveal("n0", 0)
    assert execution.state == "revealed"


def test_no_commitment_after_reveals() -> None:
    """Once reveals are asked for, nobody commits any more: the answers are public."""
    talk = running(replicas=3, confidence=2)
    talk.award((0, 1, "n1"), (0, 2, "n2"))
    talk.propose("n0", 0)
    talk.propose("n1", 1)
    talk.ask(0, 1)
    talk.propose("n2", 2)

    assert talk.job.shards[0].executions[2].state == "awarded"
    assert talk.job.late == 1


def test_user_error() -> None:
    """An accepted result with another code than 0 fails its shard as the user's."""
    talk = running()
    talk.propose("n0", 0, FAILED, plain=True)
    talk.judge(0, claim=FAILED)

    shard = talk.job.shards[0]
    assert (shard.state, shard.code, shard.reason) == (
        "failed",
        "user",
        "the command exited with 3",
    )


def test_failure_needs_a_place_again() -> None:
    """An execution that infrastructure failed leaves its shard waiting for another."""
    talk = running()
    assert talk.job.placing == set()
    fail(talk, "n0", 0)

    assert talk.job.placing == {0}
    assert talk.job.load["n0"] == 0


def test_copies() -> None:
    """The same URI again is a repeat, another one an extra copy."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    published(talk, "n0", 0)
    talk.again()
    published(talk, "n0", 0, at="elsewhere")

    uris = [copy.uri for copy in talk.job.shards[0].slots[0].copies]
    assert uris == ["free://n0", "free://elsewhere"]
    assert (talk.job.late, talk.job.illegal) == (2, 0)


def test_other_content() -> None:
    """A publication of another content than was accepted does not count."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    published(talk, "n0", 0, cid=OTHER.cid)

    assert talk.job.shards[0].slots[0].state == "assigned"
    assert talk.job.illegal == 1


def test_revoked_before_start() -> None:
    """A paid slot that nobody had begun to pay can be given anew."""
    talk = agreed(publishers=("paid",))
    talk.judge(0, 1, publish=(0,))
    revoke(talk)
    talk.assign(0, 1)

    assert talk.job.shards[0].slots[0].state == "assigned"
    assert talk.job.illegal == 0


def test_revoked_after_start() -> None:
    """A paid slot that somebody had begun to pay is in doubt, and only looked up."""
    talk = _paying()
    revoke(talk)
    talk.assign(0, 1, lookup=True)

    slot = talk.job.shards[0].slots[0]
    assert (slot.state, slot.lookups, talk.job.illegal) == ("looking", 1, 0)


def test_unpaid_by_who_began() -> None:
    """Who had begun to pay and surely has paid nothing frees the slot, also while others look."""
    for doubt in (None, revoke, _looked_up):
        talk = _paying()
        if doubt is not None:
            doubt(talk)
        unpublished(talk, "n0", 0, unpaid=True)
        talk.assign(0, 1)

        slot = talk.job.shards[0].slots[0]
        assert (slot.state, slot.starter, talk.job.illegal) == ("assigned", -1, 0)


def test_start_stored_again_after_unpaid() -> None:
    """A start that is stored twice is late, also when nothing was paid after it."""
    talk = _paying()
    start = talk.last
    unpublished(talk, "n0", 0, unpaid=True)
    assert start is not None
    talk.fold(start.subject, start.body)

    assert talk.job.shards[0].slots[0].state == "retry"
    assert (talk.job.late, talk.job.illegal) == (1, 0)


def test_unpaid_of_an_earlier_assignment() -> None:
    """Words about an assignment are late once the slot was given anew, to the same node too."""
    talk = _paying()
    first = talk.job.shards[0].slots[0].decision
    unpublished(talk, "n0", 0, unpaid=True, of=first)
    talk.assign(0, 0)
    start_paying(talk, "n0", 0)
    for unpaid in (True, False):
        unpublished(talk, "n0", 0, unpaid=unpaid, of=first)

    assert talk.job.shards[0].slots[0].state == "started"
    assert (talk.job.late, talk.job.illegal) == (2, 0)


def test_unpaid_of_a_look_up() -> None:
    """Who began says that nothing was paid when it looks it up, and after the next look-up too."""
    talk = _paying()
    unpublished(talk, "n0", 0)
    talk.assign(0, 0, lookup=True)
    asked = talk.job.shards[0].slots[0].decision
    talk.assign(0, 1, lookup=True)
    unpublished(talk, "n0", 0, unpaid=True, of=asked)

    assert talk.job.shards[0].slots[0].state == "revoked"


def test_unpaid_by_another() -> None:
    """Another node's word that nothing was paid is no more than a failed look-up."""
    talk = _paying()
    _looked_up(talk)
    unpublished(talk, "n1", 1, unpaid=True)

    assert talk.job.shards[0].slots[0].state == "doubtful"


def test_revocation_overtaken_by_failure() -> None:
    """A revocation whose node gave up in the meantime changes nothing: it is in doubt already."""
    talk = _paying()
    unpublished(talk, "n0", 0)
    revoke(talk)

    assert talk.job.shards[0].slots[0].state == "doubtful"
    assert (talk.job.late, talk.job.illegal) == (1, 0)


def test_failure_of_a_freed_slot() -> None:
    """A fused upload that fails after its execution was lost is late."""
    talk = Conversation()
    talk.submit(verifier="none", publishers=("free",))
    talk.plan()
    talk.award((0, 0, "n0"), publish=(0,))
    lose(talk, 0)
    unpublished(talk, "n0", 0)

    assert talk.job.shards[0].slots[0].state == "idle"
    assert (talk.job.late, talk.job.illegal) == (1, 0)


def test_end_cancels_what_is_open() -> None:
    """The end of a job cancels what is open, and learns from late words what has stopped."""
    talk = running()
    data = {"code": "deadline", "reason": "too late"}
    talk.decide(JobFailed, JobFailedData, **data)
    execution = talk.job.shards[0].executions[0]
    assert (execution.state, execution.ended) == ("cancelled", False)

    fail(talk, "n0", 0)
    assert (execution.state, execution.ended, talk.job.late) == ("cancelled", True, 1)


def test_seal() -> None:
    """The seal runs over every message under the job's subjects until it is closed."""
    talk = Conversation()
    steps: list[Callable[[], object]] = [
        talk.submit,
        talk.plan,
        lambda: talk.bid("n0"),
        lambda: talk.fold(f"{talk.prefix}.c.x.y.z", b"?"),
        lambda: talk.decide(JobFailed, JobFailedData, code="user", reason="", closed=True),
    ]
    expected, seen = EMPTY, 0
    for step in steps:
        step()
        assert talk.last is not None
        expected, seen = extend(expected, talk.last.subject, talk.last.body), seen + 1
        assert (talk.job.seal, talk.job.seen) == (expected, seen)
    talk.bid("n1")

    assert (talk.job.seal, talk.job.seen) == (expected, seen)


def test_foreign_decision_moves_the_fence() -> None:
    """A message that does not decode still moves the fence of the job whose subject it uses."""
    talk = running()
    talk.fold(f"{talk.prefix}.r.mallory.a.b", b"\xff")

    assert talk.job.fence == talk.network.position
    assert talk.network.foreign == 1


@pytest.mark.parametrize("time", ["", "noon", "2026-01-01T00:00:00", "9" * 400])
def test_no_time(time: str) -> None:
    """A decision whose time is none is foreign: nothing is raised, and nothing follows from it."""
    talk = running()
    assert talk.last is not None
    before = essence(talk.job)
    document = msgspec.json.decode(talk.last.body)
    document["time"] = time
    talk.fold(talk.last.subject, msgspec.json.encode(document))

    assert talk.network.foreign == 1
    assert essence(talk.job) == before


@pytest.mark.parametrize("shards", [(0, 10**15), (-5, 1), (1, 1), (3, 2)])
def test_offer_of_no_shards(shards: tuple[int, int]) -> None:
    """An offer of shards that there are not is illegal, and costs no time however many it names."""
    talk = running()
    talk.offer("n2", shards=(shards,))

    assert talk.job.illegal == 1
    assert talk.job.offers[1].shards == ()
    assert talk.job.shards[0].offers == [0]


def test_foreign_partition() -> None:
    """A message under another partition than the job's is not part of the job."""
    talk = running()
    seen = talk.job.seen
    talk.fold("lota.ev.zz.job.r.mallory.job.failed", b"{}")

    assert (talk.job.seen, talk.network.foreign) == (seen, 1)


def test_strays_before_the_job() -> None:
    """A decision stored before its job stands in the job's fence."""
    talk = Conversation()
    talk.fold(f"{talk.prefix}.r.mallory.a.b", b"?")
    position = talk.network.position
    talk.submit()

    assert (talk.job.fence, talk.job.seen) == (position, 1)


def test_retired() -> None:
    """What comes of a job that was let go is late, and does not bring it back."""
    talk = running()
    talk.network.retire("job")
    talk.tell("n0", BidsPlaced, BidsPlacedData(bids=(Bid(0, 1),)))
    talk.submit()

    assert talk.network.jobs == {}
    assert (talk.network.late, talk.network.foreign) == (2, 0)
