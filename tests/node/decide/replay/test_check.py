"""Recorded decisions held against `decide` of today."""

from typing import Any

import msgspec
import pytest

from events.codec import encode
from events.decisions import NodeLost, NodeLostData
from events.items import Award
from events.subjects import NET
from events.times import parse_ms, rfc3339
from node.policy import Policy
from tests.node.decide.replay.recorded import checked, records
from tests.projections.audit.forging import honest, replace
from tests.simulation.stage import POLICY

MADE: dict[str, Any] = {"seen": 0, "seal": "", "policy": POLICY.version}


def other(**numbers: Any) -> dict[str, Policy]:
    """Return the rules of the log with other numbers under the same name: changed in secret."""
    return {POLICY.version: msgspec.structs.replace(POLICY, **numbers)}


def test_an_honest_log_is_decided_again_just_so() -> None:
    """Of a log that went by the rules, every decision is made again to the last field."""
    found = checked(records(honest()))

    assert (found.same, found.differ, found.undecidable) == (found.decisions, 0, {})
    assert (found.jobs, found.policies) == (1, {POLICY.version: found.decisions})
    assert found.first is None


def test_a_changed_number_is_seen() -> None:
    """A number that changed without its version shows at the first decision that it changes."""
    found = checked(records(honest()), other(over_ask=1))

    assert found.first is not None
    assert (found.differ, found.jobs_differ) == (1, 1)
    assert (found.first.type, found.first.today, found.first.why) == (
        "job.planned",
        "job.planned",
        "",
    )
    nodes = found.first.changes[0]
    assert nodes.path == "offers[0].nodes"
    assert nodes.recorded[:2] == nodes.today
    assert found.first.decided is not None
    assert found.first.recorded["offers"][0]["nodes"] == nodes.recorded


def test_what_is_not_decided_today_says_when_it_would_be() -> None:
    """Where nothing is due today, it says until when."""
    log = honest()
    awarded = log.messages[log.find("shards.awarded")]
    awarded.saw = log.messages[log.find("bids.placed", 1)]
    log.seal()

    found = checked(records(log))
    assert found.first is not None
    assert (found.first.type, found.first.today) == ("shards.awarded", None)
    assert found.first.why.startswith("nothing is due before 2026-")


def test_an_award_to_another_node_is_named_with_both() -> None:
    """An award that the bids do not make is shown beside the one that they do."""
    log = honest()
    recorded: list[Award] = []

    def swap(data: Any) -> Any:
        recorded.extend(data.awards)
        return replace(data, awards=(replace(data.awards[0], node="n9"), *data.awards[1:]))

    log.change("shards.awarded", swap)
    found = checked(records(log))

    assert found.first is not None
    assert found.first.position == log.find("shards.awarded") + 1
    (change,) = found.first.changes
    assert (change.path, change.recorded, change.today) == (
        "awards[0].node",
        "n9",
        recorded[0].node,
    )


def test_the_first_of_several_is_shown_and_all_are_counted() -> None:
    """One decision is shown in full, the first on the log; the others are counted by type."""
    found = checked(records(honest()), other(over_ask=1, reveal_ms=1))

    assert found.first is not None
    assert found.first.type == "job.planned"
    assert found.differ_by_type == {"job.planned": 1, "reveals.requested": 2}
    assert found.jobs_differ == 1


@pytest.mark.parametrize(("later_ms", "told"), [(7, 1), (7_000, 0)])
def test_the_time_of_the_append(later_ms: int, told: int) -> None:
    """Older requesters wrote down when they appended: the deadlines tell when it was decided."""
    log = honest()
    message = log.messages[log.find("job.planned")]
    event = message.event
    message.body = encode(replace(event, time=rfc3339(parse_ms(event.time) + later_ms)))
    log.seal()
    found = checked(records(log))

    reason = "made a moment before the time that it carries, as older requesters wrote it"
    assert found.undecidable.get(reason, 0) == told
    assert found.differ == 1 - told


def test_rules_that_are_not_known() -> None:
    """A decision by rules that are not known here cannot be told, and does not differ."""
    found = checked(records(honest()), {})

    assert (found.same, found.differ) == (0, 0)
    assert list(found.undecidable) == ["made by policy simulated, which is not known here"]


def test_without_nodes() -> None:
    """Without the events about nodes nothing can be decided again, and all of it is counted."""
    log = honest()
    del log.messages[: log.find("job.submitted")]

    found = checked(records(log), nodes=False)
    assert found.undecidable == {"the events about nodes are not there": found.decisions}


def test_what_the_log_denies() -> None:
    """A decision that claims to have seen something else is the audit's affair."""
    log = honest()
    whole = records(log)
    log.messages[log.find("bids.placed")].body += b" "

    found = checked(records(log))
    assert checked(whole).same == found.decisions
    assert found.differ == 0
    assert list(found.undecidable) == [
        "what it says that its author knew is denied by the log (lota audit)"
    ]


def test_a_job_that_began_before_the_log() -> None:
    """Decisions of a job whose submission is not there are counted apart."""
    log = honest()
    del log.messages[log.find("job.submitted")]

    found = checked(records(log))
    assert found.undecidable == {
        "of a job that is not open, or began before this log": found.decisions
    }


def test_a_node_that_was_silent_for_long_enough() -> None:
    """The loss of a node follows from the silence that it records."""
    for silence_ms, same in ((POLICY.presence_ms, 1), (POLICY.presence_ms - 1, 0)):
        log = honest()
        before = checked(records(log)).same
        data = NodeLostData(
            **{**MADE, "seen": 5},
            node="n0",
            incarnation="n0-1",
            reason=f"not heard for {silence_ms / 1000:.1f} s",
            silence_ms=silence_ms,
        )
        log.tell(len(log.messages), "r0", NodeLost, data, job=NET)
        found = checked(records(log))
        assert (found.same - before, found.differ) == (same, 1 - same)
        assert found.jobs_differ == 0


def test_a_silence_that_was_not_recorded() -> None:
    """A loss of before silences were recorded cannot be told."""
    log = honest()
    lost = NodeLostData(**{**MADE, "seen": 5}, node="n0", incarnation="n0-1", reason="silent")
    log.tell(len(log.messages), "r0", NodeLost, lost, job=NET)

    assert checked(records(log)).undecidable == {
        "made before the silence of a lost node was recorded": 1
    }
