"""A compute node's desk: orders in any order, twice or late, and the facts that follow."""

from events.commitment import commit, execution_id, nonce
from events.facts import (
    BidsDeclinedData,
    BidsPlaced,
    BidsPlacedData,
    ExecutionsFailed,
    ExecutionsFailedData,
    Fact,
    PublishStarted,
    PublishStartedData,
    ResultsProposedData,
    ResultsPublishedData,
    ResultsRevealedData,
)
from events.items import Capabilities
from node.compute.decide import Place, decide_desk
from node.compute.desk import (
    Desk,
    DeskJob,
    acknowledge,
    disposable,
    failed,
    finished,
    held,
    refused,
    running,
    sweep,
    take,
)
from node.effects import Append, Effect, Publish, Stop
from node.orders import (
    ExecutionOrder,
    OfferOrder,
    Orders,
    PublishOrder,
    RunOrder,
)
from tests.projections.conversation import CLAIM, compute, spec_of

SECRET = b"secret"
PAID = frozenset({"paid"})


def place(*, can: Capabilities | None = None, taken: int = 0, draining: bool = False) -> Place:
    return Place("n0", SECRET, can or compute(), taken, draining, PAID)


def effects(job: DeskJob, at: Place | None = None) -> list[Effect]:
    return decide_desk(job, at or place(), now_ms=0)


def fact(job: DeskJob, at: Place | None = None) -> object:
    """Return the data of the fact that is due, None if there is none."""
    found = [effect for effect in effects(job, at) if isinstance(effect, Append)]
    assert len(found) <= 1
    return found[0].data if found else None


def tell(job: DeskJob) -> None:
    """Let the fact that is due be stored and acknowledged."""
    (effect,) = (effect for effect in effects(job) if isinstance(effect, Append))
    acknowledge(job, event(effect))


def event(effect: Append) -> Fact:
    return effect.kind(  # type: ignore[return-value]
        id="e",
        source="/lota/n0",
        subject=effect.job,
        time="",
        causationid="",
        data=effect.data,  # type: ignore[arg-type]
    )


def met(desk: Desk | None = None, **fields: object) -> DeskJob:
    """Return a job on the desk that was offered to the node, which has bid."""
    spec = spec_of(**fields)  # type: ignore[arg-type]
    orders = Orders(job="j", fence=1, decision="d1", spec=spec, shards=2, offers=(OfferOrder(0),))
    job = take(desk or Desk(node="n0", paid=PAID), orders)
    assert job is not None
    tell(job)
    return job


def order(desk: Desk, fence: int = 2, **parts: object) -> None:
    take(desk, Orders(job="j", fence=fence, decision=f"d{fence}", **parts))  # type: ignore[arg-type]


def done(job: DeskJob, shard: int = 0, attempt: int = 0) -> None:
    """Let an execution run to its end."""
    task = job.tasks[shard, attempt]
    running(task)
    finished(job, task, CLAIM)


def told(desk: Desk, **fields: object) -> DeskJob:
    """Return a job of which one execution was run and proposed."""
    job = met(desk, **fields)
    order(desk, run=(RunOrder(0, 0),))
    done(job)
    tell(job)
    return job


def published(job: DeskJob, slot: int = 0) -> None:
    upload = job.tasks[0, 0].uploads[slot]
    upload.state, upload.uri, upload.cid = "done", "free://x", CLAIM.cid


def test_bid() -> None:
    """A node that can run a job bids, once for an offer."""
    desk = Desk(node="n0")
    spec = spec_of()
    offer = Orders(job="j", fence=1, decision="d", spec=spec, offers=(OfferOrder(0),))
    job = take(desk, offer)
    assert job is not None
    data = fact(job)
    assert isinstance(data, BidsPlacedData)
    assert [bid.offer for bid in data.bids] == [0]

    tell(job)
    take(desk, offer)
    assert fact(job) is None


def test_decline() -> None:
    """A node that cannot run a job, or has its hands full, says why."""
    offer = Orders(
        job="j", fence=1, decision="d", spec=spec_of(), shards=1, offers=(OfferOrder(0),)
    )
    for at, code, words in (
        (place(taken=1_000), "busy", "1000 executions"),
        (place(draining=True), "unable", "draining"),
        (place(can=Capabilities(roles=("compute",))), "unable", "does not run engine noop"),
    ):
        job = take(Desk(node="n0"), offer)
        assert job is not None
        data = fact(job, at)
        assert isinstance(data, BidsDeclinedData)
        assert data.declines[0].code == code
        assert words in data.declines[0].message


def test_run_twice() -> None:
    """An award that comes twice, or after its end, starts nothing."""
    desk = Desk(node="n0")
    job = told(desk)
    order(desk, run=(RunOrder(0, 0),))

    assert held(desk) == []
    assert effects(job) == []


def test_one_fact_at_a_time() -> None:
    """While a fact is on its way nothing else is said; then all that gathered is one event."""
    desk = Desk(node="n0")
    job = met(desk)
    order(desk, run=(RunOrder(0, 0), RunOrder(1, 0)))
    done(job)
    job.sending = True
    done(job, shard=1)
    assert fact(job) is None

    job.sending = False
    data = fact(job)
    assert isinstance(data, ResultsProposedData)
    assert [item.shard for item in data.proposals] == [0, 1]


def test_commit_then_reveal() -> None:
    """With replicas a node commits first, and opens what it is asked for with the same nonce."""
    desk = Desk(node="n0")
    job = met(desk, replicas=2)
    order(desk, run=(RunOrder(0, 0),))
    done(job)
    data = fact(job)
    secret = nonce(SECRET, execution_id("j", 0, 0))
    assert isinstance(data, ResultsProposedData)
    assert data.proposals[0].claim is None
    assert data.proposals[0].commitment == commit("j", 0, 0, "n0", CLAIM, secret)

    order(desk, 3, reveal=(ExecutionOrder(0, 0),))
    tell(job)
    opened = fact(job)
    assert isinstance(opened, ResultsRevealedData)
    assert (opened.reveals[0].claim, opened.reveals[0].nonce) == (CLAIM, secret)


def test_reveal_of_nothing() -> None:
    """A node that no longer holds what it committed to says so."""
    desk = Desk(node="n0")
    job = met(desk, replicas=2)
    order(desk, 3, reveal=(ExecutionOrder(0, 0),))
    job.doubt = False
    data = fact(job)

    assert isinstance(data, ExecutionsFailedData)
    assert data.failures[0].code == "lost_state"


def test_stop_is_answered() -> None:
    """Whatever is stopped says that it is over: queued, running, finished, or never heard of."""
    desk = Desk(node="n0")
    job = met(desk)
    order(desk, run=tuple(RunOrder(shard, 0) for shard in range(3)))
    running(job.tasks[1, 0])
    done(job, shard=2)
    order(desk, 3, stop=tuple(ExecutionOrder(shard, 0) for shard in range(4)))
    assert [(e.shard, e.attempt) for e in effects(job) if isinstance(e, Stop)] == [(1, 0)]

    failed(job, job.tasks[1, 0], "cancelled", "stopped")
    data = fact(job)
    assert isinstance(data, ExecutionsFailedData)
    assert sorted(item.shard for item in data.failures) == [0, 1, 2, 3]


def test_closed_is_disposable() -> None:
    """A job that is over leaves the desk when everything has been said."""
    desk = Desk(node="n0")
    job = met(desk)
    order(desk, run=(RunOrder(0, 0),))
    running(job.tasks[0, 0])
    order(desk, 3, closed=True)
    assert not disposable(job)

    failed(job, job.tasks[0, 0], "cancelled", "stopped")
    tell(job)
    assert disposable(job)


def test_fused() -> None:
    """A fused execution publishes before it says anything, and then says all in one."""
    desk = Desk(node="n0")
    job = met(desk, verifier="none", publishers=("free",))
    order(desk, run=(RunOrder(0, 0, (0,)),))
    done(job)
    (upload,) = effects(job)
    assert isinstance(upload, Publish)

    published(job)
    data = fact(job)
    assert isinstance(data, ResultsPublishedData)
    assert data.publications[0].claim == CLAIM


def test_unknown_job() -> None:
    """Orders for a job that the node does not know make it read the log first."""
    for parts in (
        {"run": (RunOrder(0, 0),)},
        {"run": (RunOrder(0, 0),), "spec": spec_of()},
        {"publish": (PublishOrder(0, 0, 0, "d2"),)},
    ):
        desk = Desk(node="n0")
        order(desk, **parts)

        assert desk.jobs["j"].doubt
        assert fact(desk.jobs["j"]) is None


def test_release_of_unknown_job() -> None:
    """A release of a job that the node does not know leaves nothing behind."""
    desk = Desk(node="n0")
    order(desk, closed=True)

    assert desk.jobs == {}


def test_sweep() -> None:
    """A job of which nothing was heard between two sweeps is read from the log."""
    desk = Desk(node="n0")
    job = met(desk)
    assert sweep(desk) == []
    assert sweep(desk) == [job]
    assert job.doubt

    job.doubt = False
    order(desk, run=(RunOrder(0, 0),))
    assert sweep(desk) == []
    assert sweep(desk) == []


def test_paid_on_the_logs_word() -> None:
    """A paid upload starts on the log's own word alone, under the fence of its assignment."""
    desk = Desk(node="n0", paid=PAID)
    job = told(desk, publishers=("paid",))
    order(desk, 5, publish=(PublishOrder(0, 0, 0, "d5"),))
    assert job.doubt

    job.doubt = False
    assert effects(job) == []
    order(desk, 6, complete=True, publish=(PublishOrder(0, 0, 0, "d5"),))
    (start,) = effects(job)
    assert isinstance(start, Append)
    assert isinstance(start.data, PublishStartedData)
    assert (start.fence, start.data.starts[0].assignment) == (6, "d5")

    acknowledge(job, event(start))
    (pay,) = effects(job)
    assert isinstance(pay, Publish)
    assert not pay.lookup


def test_old_paid_order() -> None:
    """An order that the log does not bear out is dropped, and nothing is paid."""
    desk = Desk(node="n0", paid=PAID)
    job = told(desk, publishers=("paid",))
    order(desk, 5, publish=(PublishOrder(0, 0, 0, "d5"),))
    job.doubt = False
    order(desk, 5, complete=True)

    assert job.tasks[0, 0].uploads == {}
    assert not job.doubt


def test_begun_elsewhere() -> None:
    """Where the log says that payment had begun, the node only looks the upload up."""
    desk = Desk(node="n0", paid=PAID)
    job = told(desk, publishers=("paid",))
    order(desk, 5, publish=(PublishOrder(0, 0, 0, "d5"),))
    job.doubt = False
    order(desk, 6, complete=True, publish=(PublishOrder(0, 0, 0, "d5", lookup=True),))
    (look,) = effects(job)

    assert isinstance(look, Publish)
    assert look.lookup


def test_start_refused() -> None:
    """A start that the fence refused is forgotten, and the log is asked what holds now."""
    desk = Desk(node="n0", paid=PAID)
    job = told(desk, publishers=("paid",))
    order(desk, 5, complete=True, publish=(PublishOrder(0, 0, 0, "d5"),))
    (start,) = effects(job)
    assert isinstance(start, Append)
    assert start.kind is PublishStarted
    refused(job, event(start))

    assert job.doubt
    job.doubt = False
    assert effects(job) == []


def test_reading_while_starting() -> None:
    """What is read from the log while a start waits for its answer does not touch it."""
    desk = Desk(node="n0", paid=PAID)
    job = told(desk, publishers=("paid",))
    order(desk, 5, complete=True, publish=(PublishOrder(0, 0, 0, "d5"),))
    (start,) = effects(job)
    assert isinstance(start, Append)
    job.sending = True
    order(desk, 5, complete=True, publish=(PublishOrder(0, 0, 0, "d5", lookup=True),))
    order(desk, 6, complete=True)
    job.sending = False
    acknowledge(job, event(start))

    (pay,) = effects(job)
    assert isinstance(pay, Publish)
    assert not pay.lookup


def test_facts_in_order() -> None:
    """Bids go out before anything else: a job that waits for them waits for all."""
    desk = Desk(node="n0")
    job = met(desk)
    order(desk, run=(RunOrder(0, 0),))
    failed(job, job.tasks[0, 0], "io", "disk full")
    order(desk, 3, offers=(OfferOrder(1),))
    kinds = []
    while (effect := next((e for e in effects(job) if isinstance(e, Append)), None)) is not None:
        kinds.append(effect.kind)
        acknowledge(job, event(effect))

    assert kinds == [BidsPlaced, ExecutionsFailed]
