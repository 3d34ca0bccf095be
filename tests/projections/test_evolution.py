"""Logs that were recorded before types changed, and logs of versions that say more or otherwise."""

import json

import msgspec
import pytest

from events.archive.file_log import FileLog
from events.codec import EVENT_TYPES, KINDS, TYPE_NAMES, Codec
from events.log import Record
from projections.audit import Audit, Report
from projections.lanes import Lanes
from projections.steps import Walk
from projections.timeline import Timeline
from projections.travel import Travel, network_view
from tests.projections.evolution import HISTORIES, PLAN, log_of, play, told
from tests.simulation.dialects import ACCEPTED, DONE, TODAY, TOMORROW, YESTERDAY, Dialect
from tests.simulation.faults import WILD, without
from tests.simulation.world import Plan


async def recorded() -> list[Record]:
    log = await FileLog.open(HISTORIES / "yesterday.jsonl")
    return [record async for batch in log.read() for record in batch]


def audited(records: list[Record], codec: Codec) -> Report:
    audit = Audit(codec=codec)
    for record in records:
        audit.take(record)
    return audit.finish()


async def test_a_log_of_before_folds_to_the_same_states() -> None:
    """What was recorded before a rename and a split is, by their upcasters, what it was."""
    records = await recorded()
    end = json.loads((HISTORIES / "yesterday.end.json").read_text(encoding="utf-8"))

    assert {ACCEPTED, DONE} < {json.loads(record.body)["type"] for record in records}
    assert told(records, YESTERDAY.codec) == end
    assert [job["state"][0] for job in end["jobs"].values()].count("completed") >= 3


async def test_a_log_of_before_is_proved_as_ever() -> None:
    """The audit is clean: seals are over the stored bytes, and every proof is made again."""
    report = audited(await recorded(), YESTERDAY.codec)

    assert report.clean, report.findings
    assert report.proved["seals"] > 20
    assert report.proved["verdicts"] > 3
    assert not report.unprovable


async def test_a_split_message_is_one_step() -> None:
    """It stands once in the walk and in the counts, and tells of all its parts."""
    records = await recorded()
    travel = Travel(codec=YESTERDAY.codec, list_closed=True)
    walk = Walk(travel)
    steps = [step for record in records if (step := walk.take(record)) is not None]

    assert len(steps) == travel.tally.events == len(records)
    (split, *_) = [step for step in steps if step.subject.endswith("executions.done")]
    states = [c.after for c in split.changes if c.what == "execution" and c.field == "state"]
    assert states == ["proposed"], split.changes
    assert split.summary.count(";") == 1


async def test_timelines_and_lanes_show_present_names() -> None:
    """What was renamed or split stands under what it is called now."""
    records = await recorded()
    travel, timeline, lanes = Travel(codec=YESTERDAY.codec, keep="job0"), Timeline(), Lanes()
    for record in records:
        entry = travel.fold(record)
        if entry is not None and entry.address.job == "job0":
            timeline.note(entry)
            lanes.note(travel.network.jobs["job0"], entry)

    kinds = {row["kind"] for row in timeline.rows()}
    assert {"bids.placed", "executions.started", "results.proposed"} <= kinds
    assert not {"offers.accepted", "executions.done"} & kinds
    assert {mark.state for lane in lanes.lanes.values() for mark in lane.marks} >= {"proposed"}


def widened(kind: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a real second shape of a type: its data has one more field, which may be left out."""
    data = next(f.type for f in msgspec.structs.fields(kind) if f.name == "data")
    wider = msgspec.defstruct(f"{data.__name__}2", [("later", str, "")], bases=(data,), frozen=True)
    name = str(kind.__struct_config__.tag)
    fields = [("data", wider)]
    return msgspec.defstruct(f"{kind.__name__}2", fields, bases=(kind,), frozen=True, tag=name)


TROUBLED = Plan(
    seed=3,
    jobs=6,
    requesters=2,
    nodes=4,
    faults=without(without(without(WILD, "foreign"), "dishonest"), "amnesia"),
)
WIDER = Codec([widened(kind) for kind in EVENT_TYPES])  # type: ignore[misc]
TALKATIVE = Dialect(
    words={
        KINDS[kind]: (name, lambda data: {**data, "later": {"more": [1, "x"]}})
        for name, kind in TYPE_NAMES.items()
    }
)


def test_fields_are_added_without_code() -> None:
    """A log of today is the same to a version in which every type has one field more."""
    records = log_of(play(TODAY))

    assert told(records, WIDER) == told(records)
    assert audited(records, WIDER) == audited(records, TODAY.codec)


def test_fields_of_later_are_passed_over() -> None:
    """A network whose every event has fields that nobody knows is the same, and is proved."""
    records = log_of(play(TALKATIVE))

    assert all(b'"later":{"more":[1,"x"]}' in record.body for record in records)
    assert told(records) == told(log_of(play(TODAY)))
    assert audited(records, TODAY.codec).clean


@pytest.mark.parametrize("plan", [PLAN, TROUBLED])
def test_an_older_audit_accuses_nobody(plan: Plan) -> None:
    """It says what it cannot read and that nothing behind that is proved, and finds no fault."""
    report = audited(log_of(play(TOMORROW, plan)), TODAY.codec)

    assert not report.clean
    assert {finding.kind for finding in report.findings} == {"newer"}
    assert "lota.shards.awarded.v2 was written by a newer version" in report.findings[0].what
    assert report.unprovable["stands behind what only a newer version of Lota knows"] > 10
    assert report.proved["seals"] > 10


@pytest.mark.parametrize("position", [2, 3])
def test_a_change_is_found_by_an_older_audit(position: int) -> None:
    """Seals are over bytes: also what it cannot read cannot be changed unnoticed."""
    records = log_of(play(TOMORROW))
    awards = [n for n, r in enumerate(records) if r.subject.endswith("shards.awarded")]
    changed = records[awards[position]]
    body = changed.body.replace(b'"given"', b'"gaven"')
    records[awards[position]] = Record(changed.position, changed.subject, body)
    report = audited(records, TODAY.codec)

    assert "seal" in next(f.what for f in report.findings if f.kind == "forged")


def test_replay_counts_what_is_newer() -> None:
    """The network's view says how many events were skipped, of which types, and where."""
    records = log_of(play(TOMORROW))
    travel = Travel()
    for record in records:
        travel.fold(record)
    view = network_view(travel)
    awards = [r.position for r in records if r.subject.endswith("shards.awarded")]

    assert view["events"]["newer"] == sum(row["count"] for row in view["newer"])
    assert view["newer"][0] == {
        "type": "lota.shards.awarded.v2",
        "count": len(awards),
        "first": awards[0],
        "last": awards[-1],
    }
    assert view["events"]["illegal"] == view["events"]["foreign"] == 0
