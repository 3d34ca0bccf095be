"""What a step of the log tells: changes, cause, and what was late or illegal."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from events.entry import Entry
from events.facts import BidsPlaced, BidsPlacedData
from events.items import Bid
from events.log import Record
from projections.steps import Change, Step, Walk
from projections.travel import Travel
from tests.projections.conversation import Conversation
from tests.projections.story import story


class Told(Conversation):
    """A conversation whose messages are kept."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        super().__init__()

    def fold(self, name: str, body: bytes) -> Entry | None:
        entry = super().fold(name, body)
        assert self.last is not None
        self.records.append(self.last)
        return entry

    def steps(self, **scope: Any) -> list[Step]:
        """Walk over all that was told."""
        walk = Walk(Travel(), **scope)
        return [step for record in self.records if (step := walk.take(record)) is not None]


def agreed() -> Told:
    """Tell a job of two replicas up to its verdict."""
    talk = Told()
    talk.submit(replicas=2, publishers=("free",))
    talk.plan()
    talk.bid("n0", "n1")
    talk.now_ms += 250
    talk.award((0, 0, "n0"), (0, 1, "n1"))
    talk.propose("n0", 0)
    talk.propose("n1", 1)
    talk.ask(0, 1)
    talk.reveal("n0", 0)
    talk.reveal("n1", 1)
    talk.judge(0, 1, publish=(0,))
    return talk


def of(step: Step, what: str, field: str) -> list[tuple[str, Any, Any]]:
    """Return the changes of a field of the parts of one kind."""
    found = [c for c in step.changes if (c.what, c.field) == (what, field)]
    return [(change.name, change.before, change.after) for change in found]


def test_a_step_tells_what_changed() -> None:
    """The award of two executions changes them, their shard, and the job's counters."""
    step = next(step for step in agreed().steps() if step.kind == "shards.awarded")
    assert of(step, "shard", "state") == [("0", "offered", "running")]
    assert of(step, "execution", "state") == [("0-0", None, "awarded"), ("0-1", None, "awarded")]
    assert of(step, "job", "open on n0") == [("job", None, 1)]
    assert of(step, "job", "wait for a node") == [("job", 1, 0)]
    assert step.after_ms == 250


def test_a_verdict_changes_shard_executions_slot_and_nodes() -> None:
    """All that follows from a verdict is told with it, also the standing of nodes."""
    step = agreed().steps()[-1]
    assert of(step, "shard", "state") == [("0", "verifying", "publishing")]
    assert of(step, "shard", "verdict") == [("0", None, "accepted")]
    assert of(step, "publication", "state") == [("0/0", None, "assigned")]
    assert of(step, "publication", "node") == [("0/0", None, "n0")]
    assert of(step, "node", "agreed") == [("n0", 0, 1), ("n1", 0, 1)]


def test_causes_lie_before_what_they_led_to() -> None:
    """The distance counts the events from a cause up to what it led to."""
    walk = Walk(Travel())
    steps = [step for record in story(1) if (step := walk.take(record)) is not None]
    events = [step for step in steps if not step.foreign]
    found = {step.kind for step in events if step.cause is not None and step.cause.recorded}
    for number, step in enumerate(events):
        if step.cause is not None and step.cause.kind:
            cause = events[number - step.cause.distance]
            assert (cause.id, cause.position) == (step.cause.id, step.cause.position)
    assert {"job.planned", "shards.awarded", "results.judged"} <= found


def test_facts_answer_decisions() -> None:
    """A fact that names no cause is shown with the decision that it answers."""
    walk = Walk(Travel())
    steps = [step for record in story(1) if (step := walk.take(record)) is not None]
    answers = {
        (step.kind, step.cause.kind)
        for step in steps
        if step.cause is not None and step.cause.kind and not step.cause.recorded
    }
    assert answers >= {
        ("bids.placed", "job.planned"),
        ("results.proposed", "shards.awarded"),
        ("results.revealed", "reveals.requested"),
        ("results.published", "results.judged"),
    }


def test_late_items_are_counted_and_change_nothing() -> None:
    """A repeated fact is late, and its step has no changes."""
    talk = agreed()
    talk.reveal("n1", 1)
    step = talk.steps()[-1]
    assert (step.late, step.changes, step.illegal) == (1, (), ())


def test_illegal_items_are_named() -> None:
    """A bid for an offer that was never made is skipped, and the step says why."""
    talk = agreed()
    talk.tell("n0", BidsPlaced, BidsPlacedData(bids=(Bid(7, 1),)))
    step = talk.steps()[-1]
    assert (step.late, step.changes) == (0, ())
    assert step.illegal == ("offer 7 bid in state running: there is no such offer",)


def test_made_up_numbers_cost_nothing() -> None:
    """An offer of shards that there are not is illegal, however many it claims."""
    talk = agreed()
    talk.offer("n0", shards=((0, 2**60),))
    talk.bid("n0", offer=-(2**60))
    offered, bid = talk.steps()[-2:]
    assert "it is of shards that there are not" in offered.illegal[0]
    assert "there is no such offer" in bid.illegal[0]


def test_foreign_messages_are_steps() -> None:
    """A message that does not decode is told with the reason."""
    talk = agreed()
    talk.fold(f"{talk.prefix}.c.n0.bids.placed", b"noise")
    step = talk.steps()[-1]
    assert (step.kind, step.changes) == ("", ())
    assert step.foreign


def test_the_last_step_of_a_job_is_told() -> None:
    """A job that is closed leaves the fold behind the step that shows it closed."""
    walk = Walk(Travel())
    steps = [step for record in story(1) if (step := walk.take(record)) is not None]
    assert sum(len(of(step, "job", "closed")) for step in steps) == 8


def test_steps_of_a_node_are_those_about_it() -> None:
    """By node, the walk tells what it wrote, what names it, and what changes what it has."""
    kinds = [step.kind for step in agreed().steps(node="n1")]
    assert kinds.count("results.proposed") == 1
    assert kinds.count("node.joined") == 1
    assert {"job.planned", "shards.awarded", "reveals.requested", "results.judged"} <= set(kinds)


def test_steps_of_a_job_are_its_own() -> None:
    """By job, the nodes are folded and not told."""
    steps = agreed().steps(job="job")
    assert {step.job for step in steps} == {"job"}
    assert of(steps[-1], "node", "agreed") == [("n0", 0, 1), ("n1", 0, 1)]


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 9))
def test_no_change_goes_untold(seed: int) -> None:
    """Each value is, before a change, what the last change of it made it."""
    walk = Walk(Travel())
    now: dict[tuple[str, ...], object] = {}
    for record in story(seed, jobs=4):
        step = walk.take(record)
        for change in step.changes if step is not None else ():
            name = _name(step, change)
            planned = change.before if change.what == "shard" else None  # a plan names no shards
            assert (now.get(name, planned) or None) == (change.before or None), (step, change)
            now[name] = change.after


def _name(step: Step | None, change: Change) -> tuple[str, ...]:
    job = step.job if step is not None and change.what != "node" else ""
    node = change.node if change.what in ("answer", "execution") else ""
    return job, change.what, change.name, node, change.field
