"""What the audit says of single messages: whose they are, where they stand, whether they repeat."""

from collections.abc import Callable

import pytest

from events.codec import encode
from events.facts import BidsPlaced, BidsPlacedData, NodeLeft, NodeLeftData
from events.items import Bid
from events.requests import CancelRequested, CancelRequestedData
from events.spec import Deal, JobSpec, PublisherSpec, digest
from events.subjects import NET
from projections.audit import Scope
from tests.projections.audit.forging import JOB, Forged, Message, honest, place, replace


def test_honest() -> None:
    """Of an honest log everything is proved and nothing is found."""
    report = honest().audit()

    assert (report.clean, report.findings, report.unprovable) == (True, (), {})
    assert (report.jobs, report.closed, report.late, report.repeated) == (1, 1, 0, 0)
    assert report.proved == {
        "awards": 1,
        "plans": 1,
        "published roots": 1,
        "reveal requests": 2,
        "roots": 1,
        "seals": 8,
        "verdicts": 2,
    }


def moved(subject: Callable[[Message], str]) -> Forged:
    """Return a log with a copy of its first bid under another subject."""
    log = honest()
    at = log.find("bids.placed")
    bid = log.messages[at]
    log.insert(at + 1, Message(subject(bid), bid.body))
    return log


@pytest.mark.parametrize(
    ("subject", "right"),
    [
        (lambda m: m.subject.replace(".c.", ".r."), "bids.placed is written by role 'c'"),
        (lambda m: m.subject.replace(".bids.placed", ".bids.declined"), "such an event stands"),
        (lambda m: place("other", "c", "n0", "bids.placed"), "such an event stands under"),
        (lambda m: m.subject.replace(".5e.", ".5f."), "the partition of 'job' is 5e"),
    ],
    ids=["role", "type", "job", "partition"],
)
def test_forged_subject(subject: Callable[[Message], str], right: str) -> None:
    """A subject that says something else than the body is forged, and so is a wrong partition."""
    finding = moved(subject).finding()

    assert (finding.kind, finding.rule) == ("forged", 0)
    assert finding.right.startswith(right)


def test_forged_author() -> None:
    """An author token that is not the body's source is forged."""
    finding = moved(lambda m: place(JOB, "c", "n9", "bids.placed")).finding()

    assert (finding.kind, finding.author, finding.right) == (
        "forged",
        "n9",
        "the source is '/lota/c/n9'",
    )


def test_second_id() -> None:
    """Another event with the id of one before it is forged."""
    log = honest()
    at = log.find("bids.placed")
    bid = log.messages[at]
    event = bid.event
    assert isinstance(event, BidsPlaced)
    other = replace(event, data=BidsPlacedData(bids=(Bid(0, 7),)))
    log.insert(at + 1, Message(bid.subject, encode(other)))

    finding = log.finding()
    assert (finding.position, finding.kind, finding.event) == (at + 2, "forged", event.id)
    assert "has the id" in finding.what


def test_repeated() -> None:
    """The same event stored twice is legal and counted; all its items are late."""
    log = honest()
    at = log.find("bids.placed")
    log.insert(at + 1, Message(log.messages[at].subject, log.messages[at].body))

    report = log.audit()
    assert (report.found, report.repeated, report.late) == (0, 1, 2)


def test_late() -> None:
    """What comes after a job was closed is late and legal."""
    log = honest()
    log.tell(len(log.messages), "client", CancelRequested, CancelRequestedData())

    report = log.audit()
    assert (report.found, report.late) == (0, 1)


def test_foreign() -> None:
    """Noise under a job's subjects is named; the seals go on over it."""
    log = honest()
    log.insert(log.find("bids.placed"), Message(place(JOB, "c", "n0", "bids.placed"), b"\xff{"))

    report = log.audit()
    assert [(one.kind, one.author, one.job) for one in report.findings] == [("foreign", "n0", JOB)]
    assert report.proved["seals"] == 8


def test_no_place() -> None:
    """A message whose subject is outside of the grammar is named by its position."""
    log = honest()
    log.insert(3, Message("lota.ev.nonsense", b"{}"))

    finding = log.finding()
    assert (finding.position, finding.kind, finding.author) == (4, "foreign", "")


def test_stranger() -> None:
    """Who has never joined writes nothing, also when nothing would come of it."""
    log = honest()
    data = BidsPlacedData(bids=(Bid(0, 1),))
    log.tell(len(log.messages), "n9", BidsPlaced, data)

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.author) == ("illegal", 11, "n9")


def test_no_job() -> None:
    """An event about a job that nobody submitted is illegal."""
    log = honest()
    log.tell(6, "client", CancelRequested, CancelRequestedData(), job="other")

    finding = log.finding()
    assert (finding.kind, finding.rule, finding.job) == ("illegal", 1, "other")


@pytest.mark.parametrize(
    ("kind", "rule"), [("job.submitted", 1), ("job.planned", 12), ("job.completed", 12)]
)
def test_after_closing(kind: str, rule: int) -> None:
    """A decision or a submission that comes after the closing decision broke the fence."""
    log = honest()
    message = log.messages[log.find(kind)]
    log.messages.append(Message(message.subject, message.body))

    finding = log.finding()
    assert (finding.position, finding.kind, finding.rule) == (len(log.messages), "illegal", rule)


def test_digest() -> None:
    """The digest of a submission is that of its spec."""
    log = honest()
    log.change("job.submitted", lambda data: replace(data, digest="00"))

    finding = log.finding()
    assert (finding.type, finding.kind, finding.rule) == ("job.submitted", "forged", 1)


def test_spec() -> None:
    """A spec that nobody can count with is no event, and nothing is made of it."""
    log = honest()
    log.change("job.submitted", lambda data: replace(data, spec=replace(data.spec, timeout="x")))

    finding = log.finding()
    assert (finding.type, finding.kind, finding.rule) == ("job.submitted", "forged", 0)
    assert "$.timeout" in finding.what


def test_spec_that_no_gateway_accepts() -> None:
    """A spec that can be folded and that no gateway would have taken is illegal."""
    log = honest()
    log.change(
        "job.submitted", lambda data: replace(data, spec=replace(data.spec, command=("\0",)))
    )

    finding = log.finding()
    assert (finding.type, finding.kind, finding.rule) == ("job.submitted", "illegal", 1)
    assert finding.what.startswith("its spec cannot be accepted: $.command")


def test_target_that_no_driver_takes() -> None:
    """Which targets drivers take is no rule of the log: jobs with others were submitted before."""
    publisher = PublisherSpec("nats", target="bad bucket")
    spec = JobSpec(engine="noop", verifier="none", deal=Deal(confidence=1), publishers=(publisher,))
    log = honest()
    del log.messages[log.find("job.submitted") + 1 :]
    log.change("job.submitted", lambda data: replace(data, spec=spec, digest=digest(spec)))

    assert log.audit().found == 0


def test_outside() -> None:
    """In a part of a log, events of jobs that began before are only counted."""
    log = honest()
    del log.messages[: log.find("bids.placed")]

    report = log.audit(Scope(start=False, nodes=False))
    assert (report.found, report.outside, report.jobs) == (0, len(log.messages), 0)


def test_left_twice() -> None:
    """A node that leaves twice is late the second time."""
    log = honest()
    for _ in range(2):
        log.tell(len(log.messages), "n0", NodeLeft, NodeLeftData(incarnation="n0-1"), job=NET)

    report = log.audit()
    assert (report.found, report.late) == (0, 1)
