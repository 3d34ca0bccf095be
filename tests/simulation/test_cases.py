"""One case for each hole that an interleaving could open, as a script over the whole network."""

from events.decisions import ShardsAwarded
from events.errors import WrongExpectedPosition
from events.items import Award
from events.log import Expect
from events.subjects import decisions, partition, subject
from projections.nodes import owner
from tests.simulation.character import Copier, Liar, Withholder
from tests.simulation.stage import FREE, JOB, POLICY, Stage, first


def awards(stage: Stage) -> list[Award]:
    """Return the awards of the job so far."""
    events = [entry.event for entry in stage.events("shards.awarded")]
    return [award for e in events if isinstance(e, ShardsAwarded) for award in e.data.awards]


def test_fact_between_fold_and_append() -> None:
    """A decision beats a fact that came between its author's fold and its append."""
    stage = Stage(nodes=3)
    stage.open(first("executions.lost", [2_500]))
    for node in stage.nodes:
        node.run_ms = 27_000
    stage.submit()
    stage.play(lambda: stage.told("executions.started"))
    for node in stage.nodes:
        node.run_ms = 0
    stage.play()

    first_try = stage.job.shards[0].executions[0]
    kinds = [entry.address.kind for entry in stage.log()]
    assert kinds.index("results.proposed") < kinds.index("executions.lost")
    assert first_try.state == "lost"
    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_award_lost() -> None:
    """A lost award is repeated until the fact shows up."""
    stage = Stage()
    stage.open(first("run", []))
    stage.submit()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.job.shards[0].executions) == 1


def test_award_repeated() -> None:
    """A repeated award starts nothing."""
    stage = Stage()
    stage.open(first("run", [1, 1, 50, 3_000]))
    stage.submit()
    stage.play()
    stage.play_for(10_000)

    assert stage.counted()["results.proposed"] == 1
    assert stage.job.late == 0


def test_award_late() -> None:
    """An award that comes after its execution was given up on changes nothing."""
    stage = Stage()
    held: list[str] = []

    def fate(name: str, kind: str) -> list[int] | None:
        if kind != "run" or (held and name != held[0]):
            return None
        held.append(name)
        return [40_000]

    stage.open(fate)
    stage.submit()
    stage.play()
    stage.play_for(60_000)

    assert stage.job.shards[0].executions[0].state == "lost"
    assert stage.job.state == "completed"
    assert not stage.node(held[0]).desk.jobs


def test_withheld() -> None:
    """Who commits and then withholds is left out, and the others' agreement stands."""
    stage = Stage(nodes=3, cast=[Withholder()])
    stage.open()
    stage.submit(replicas=3, confidence=2)
    stage.play()

    verdict = stage.job.shards[0].verdict
    assert verdict is not None
    assert verdict.result == "accepted"
    names = [stage.job.shards[0].executions[attempt].node for attempt in verdict.rejected]
    assert names == ["n0"]
    assert "withheld" in stage.job.shards[0].executions[verdict.rejected[0]].reason


def test_liar() -> None:
    """One liar of three is outvoted and loses standing."""
    stage = Stage(nodes=3, cast=[Liar()])
    stage.open()
    stage.submit(replicas=3, confidence=2)
    stage.play()

    members = stage.world.checker.network.nodes.members
    assert stage.job.state == "completed"
    assert (members["n0"].agreed, members["n0"].differed) == (0, 1)
    assert members["n1"].agreed == 1


def test_lazy_copier() -> None:
    """A copied commitment cannot be opened, so copying wins nothing."""
    stage = Stage(nodes=3, cast=[Copier()])
    stage.open()
    stage.nodes[0].run_ms = 2_000
    stage.submit(replicas=3, confidence=2)
    stage.play()

    job = stage.job
    commitments = [execution.commitment for execution in job.shards[0].executions]
    assert len(set(commitments)) == 2
    assert job.state == "completed"
    assert {story.author for story in job.stories} == {"n0"}
    assert "not what was sealed" in job.stories[0].why


def test_skewed_clocks() -> None:
    """Clocks that are seconds apart cost retries at most."""
    stage = Stage(nodes=3, requesters=3)
    for member, offset_ms in zip(
        stage.world.members, (-9_000, 0, 9_000, -20_000, 20_000, 0), strict=True
    ):
        member.offset_ms = offset_ms
        member.drift = offset_ms / 1_000_000
    stage.open()
    stage.submit(replicas=2, shards=4, publishers=(FREE,))
    stage.play()

    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_event_again_after_the_window() -> None:
    """A fact stored twice counts once; a decision stored twice is refused by its fence."""
    stage = Stage(nodes=3)
    stage.open()
    for node in stage.nodes:
        node.upload_ms = 13_000
    stage.submit(replicas=2, publishers=(FREE,))
    stage.play(lambda: stage.told("results.judged"))
    stage.play_for(10_000)
    again = [entry for entry in stage.log() if entry.address.role == "c"]
    for entry in again:
        assert stage.store_again(entry) is None
    award = stage.events("shards.awarded")[0]
    fence = Expect(decisions(JOB), stage.events("job.planned")[0].position)
    refused = stage.wire.store(award.record.subject, award.record.body, award.event.id, fence)
    stage.play()

    assert isinstance(refused, WrongExpectedPosition)
    assert stage.job.late == len(again)
    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_requester_hangs() -> None:
    """Another requester takes over what one leaves lying that hangs and sends heartbeats."""
    stage = Stage(nodes=3, requesters=2)
    stage.open()
    nodes = stage.world.checker.network.nodes
    mine = owner(nodes, partition(JOB))
    owns = next(requester for requester in stage.requesters if requester.name == mine)
    owns.hung_until_ms = 300_000
    stage.submit(replicas=2, publishers=(FREE,), deadline="10m")
    stage.play(lambda: JOB in stage.world.checker.closed)

    authors = {entry.address.author for entry in stage.log() if entry.address.role == "r"}
    assert stage.job.state == "completed"
    assert stage.world.steps.now_ms < 120_000
    assert authors.isdisjoint({mine})
    assert nodes.members[mine].state == "live"


def test_drained_in_the_midst() -> None:
    """A node that drains finishes what it was awarded, also by late messages, and gets no more."""
    stage = Stage(nodes=4)
    for node in stage.nodes:
        node.run_ms = 1_000
    stage.open(first("run", [3_000], "n0"))
    stage.submit(replicas=2, shards=12, publishers=(FREE,))
    stage.play(lambda: any(award.node == "n0" for award in awards(stage)))
    stage.drain("n0")
    members = stage.world.checker.network.nodes.members
    stage.play(lambda: members["n0"].state == "draining")
    before = [award.node for award in awards(stage)]
    stage.node("n1").crash()
    stage.play()

    executions = [e for shard in stage.job.shards for e in shard.executions]
    assert [e.state for e in executions if e.node == "n0"] == ["accepted"] * before.count("n0")
    assert [award.node for award in awards(stage)].count("n0") == before.count("n0") > 0
    assert len(awards(stage)) > len(before)
    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_drained_and_given_up_on() -> None:
    """A draining node that was silent and is taken for lost comes back as one that drains."""
    stage = Stage(nodes=3)
    stage.open()
    members = stage.world.checker.network.nodes.members
    drained = stage.node("n0")
    stage.drain("n0")
    stage.play(lambda: members["n0"].state == "draining")
    drained.cut_off = True
    stage.play(lambda: members["n0"].state == "lost")
    drained.cut_off = False
    stage.play(lambda: members["n0"].state == "draining")
    stage.submit(replicas=2, shards=4)
    stage.play()

    assert {award.node for award in awards(stage)} == {"n1", "n2"}
    assert stage.job.state == "completed"


def test_two_decide_at_once() -> None:
    """Of two requesters that both take a job for theirs, the fence lets one at a time through."""

    def unknown(name: str, kind: str) -> list[int] | None:
        return [] if name.startswith("r") and kind == "node.joined" else None

    stage = Stage(nodes=3, requesters=2)
    stage.wire.fate = unknown
    for member in stage.world.members:
        member.start()
    stage.play_for(500)
    stage.submit(replicas=2, shards=6, publishers=(FREE,))
    stage.play(lambda: JOB in stage.world.checker.closed)

    authors = {entry.address.author for entry in stage.log() if entry.address.role == "r"}
    assert authors == {"r0", "r1"}
    assert sum(requester.conflicts for requester in stage.requesters) > 0
    assert (stage.job.state, stage.job.illegal) == ("completed", 0)


def test_cancel_first() -> None:
    """A cancel that is granted first refuses the completion that is under way."""
    stage = Stage(nodes=3, requesters=2)
    stage.open(lambda _, kind: [6_000] if kind == "job.completed" else None)
    stage.submit()
    stage.play(lambda: stage.told("results.judged"))
    stage.wire.store(*_cancel(stage))
    slow = owner(stage.world.checker.network.nodes, partition(JOB))
    other = next(requester for requester in stage.requesters if requester.name != slow)
    other.offset_ms = 60_000
    stage.play()

    assert stage.job.state in ("cancelled", "completed")
    assert len(stage.events("job.completed")) + len(stage.events("job.cancelled")) == 1


def test_cancel_too_late() -> None:
    """A cancel after the completion is late and changes nothing."""
    stage = Stage(nodes=3)
    stage.open()
    stage.submit()
    stage.play()
    stage.wire.store(*_cancel(stage))
    stage.play_for(30_000)

    assert stage.job.state == "completed"
    assert not stage.told("job.cancelled")
    assert stage.world.checker.network.late == 1


def _cancel(stage: Stage) -> tuple[str, bytes, str]:
    body = (
        b'{"id":"X1","source":"/lota/g/me","subject":"job","time":"2026-11-23T05:30:00.000Z",'
        b'"causationid":"X1","type":"lota.cancel.requested.v1","data":{"reason":"no more"}}'
    )
    return subject(JOB, "g", "me", "cancel.requested"), body, "X1"


def test_restart_with_database() -> None:
    """A node that restarts with its database opens what it has committed to."""
    stage = Stage(nodes=2)
    stage.open(first("reveal", [], "n0"))
    stage.submit(replicas=2)
    stage.play(lambda: stage.told("reveals.requested"))
    stage.nodes[0].crash()
    stage.play_for(3_000)
    stage.nodes[0].start()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.job.shards[0].executions) == 2


def test_restart_runs_again() -> None:
    """A node that restarts in the middle of a run holds on to it and runs it again."""
    stage = Stage(nodes=2)
    stage.open()
    stage.nodes[0].run_ms = 5_000
    stage.submit(replicas=2)
    stage.play(lambda: stage.told("shards.awarded"))
    stage.play_for(1_000)
    stage.nodes[0].crash()
    stage.nodes[0].start()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.job.shards[0].executions) == 2


def test_restart_without_database() -> None:
    """A node that lost its database says what it no longer holds, and others take over."""
    stage = Stage(nodes=4)
    stage.open(first("reveal", [], "n0"))
    stage.submit(replicas=4, confidence=3)
    stage.play(lambda: stage.told("reveals.requested"))
    stage.nodes[0].crash()
    stage.nodes[0].lose_database()
    stage.nodes[0].start()
    stage.play()

    mine = [e for e in stage.job.shards[0].executions if e.node == "n0"]
    assert stage.job.state == "completed"
    assert mine[0].state == "failed"
    assert "no longer holds" in mine[0].reason


def test_foreign_decisions() -> None:
    """What others write under a job's decisions moves its fence, and stops nothing."""
    stage = Stage(nodes=3)
    stage.open()
    stage.submit(replicas=2, publishers=(FREE,))
    for number, kind in enumerate(("job.planned", "shards.awarded", "results.proposed")):
        stage.play(lambda kind=kind: stage.told(kind))  # type: ignore[misc]
        stage.wire.store(subject(JOB, "r", "mallory", "x.y"), b"\xff{", f"F{number}")
        stage.wire.store(subject(JOB, "r", "mallory", "job.failed"), b"{}", f"G{number}")
    stage.play()

    assert (stage.job.state, stage.job.illegal) == ("completed", 0)
    assert stage.world.checker.network.foreign == 6
    assert stage.job.seen == len(stage.log()) + 6


def test_foreign_before_the_job() -> None:
    """What stands under a job's decisions before its submission does not block it."""
    stage = Stage(nodes=3)
    stage.open()
    stage.wire.store(subject(JOB, "r", "mallory", "x.y"), b"\xff{", "F")
    stage.submit()
    stage.play()

    assert stage.job.state == "completed"


def test_late_bid() -> None:
    """A bid after the job is over is late, and the node lets the job go."""
    stage = Stage(nodes=3)
    late: list[str] = []

    def fate(name: str, kind: str) -> list[int] | None:
        if kind != "offers" or (late and late[0] != name):
            return None
        late[:] = [name]
        return [30_000]

    stage.open(fate)
    stage.submit(replicas=1)
    stage.play(lambda: stage.told("job.completed"))
    stage.play_for(80_000)

    assert stage.world.checker.network.late == 1
    assert not any(node.desk.jobs or node.memory.jobs for node in stage.nodes)


def test_deadline() -> None:
    """A job that cannot be placed fails at its deadline and is closed."""
    stage = Stage(nodes=2)
    stage.open()
    stage.submit(replicas=3, deadline="20s")
    stage.play()

    assert (stage.job.state, stage.job.code, stage.job.closed) == ("failed", "deadline", True)
    assert stage.job.ended_ms - stage.job.touched_ms < POLICY.close_grace_ms


def test_deadline_while_running() -> None:
    """At its deadline a job stops what still runs, and closes when the nodes have said so."""
    stage = Stage(nodes=2)
    stage.open()
    for node in stage.nodes:
        node.run_ms = 100_000
    stage.submit(deadline="12s")
    stage.play()

    execution = stage.job.shards[0].executions[0]
    assert (stage.job.code, execution.state, execution.ended) == ("deadline", "cancelled", True)
    assert not any(node.desk.jobs for node in stage.nodes)
