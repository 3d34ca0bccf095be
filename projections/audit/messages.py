"""Whose an event is and whether it came before: checks of one message without any state of jobs."""

from collections import OrderedDict
from hashlib import blake2b, sha256

import msgspec

from events.codec import PRESENT
from events.entry import Entry, role_of
from events.errors import EventError, NewerEvent
from events.log import Record
from events.subjects import parse, partition
from projections.audit.finding import FORM, Finding, Kind
from projections.audit.ledger import Ledger

IDS_KEPT = 100_000
"""Events back that a repeat is known as one; the server's own window is two minutes."""


class Identities:
    """Says of each event whether its author is its source and its id its own."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ids: OrderedDict[str, bytes] = OrderedDict()

    def check(self, entry: Entry) -> None:
        """Check one event; a second one with the same id must be the same event."""
        event, address = entry.event, entry.address
        source = f"/lota/{address.role}/{address.author}"
        if event.source != source:
            what = f"its body says that {event.source[:80]!r} wrote it"
            self._ledger.note(entry, "forged", FORM, what, f"the source is {source!r}")
        record = entry.record
        digest = blake2b(record.subject.encode(), digest_size=16)
        digest.update(record.body)
        told = digest.digest()
        known = self._ids.get(event.id)
        if known is None:
            self._ids[event.id] = told
            if len(self._ids) > IDS_KEPT:
                self._ids.popitem(last=False)
        elif known == told:
            self._ledger.repeated += 1
        else:
            what = f"another event before it has the id {event.id}"
            right = "every event has an id of its own, and a repeat is the same to the byte"
            self._ledger.note(entry, "forged", FORM, what, right)


def stored_digest(record: Record) -> str:
    """Return the digest of the spec in a submission, as it is stored (`events.spec.digest`).

    What a newer version added to a spec is part of it, and lost to who decodes it by ours.
    """
    spec = msgspec.json.decode(record.body)["data"]["spec"]
    return sha256(msgspec.json.encode(spec, order="sorted")).hexdigest()


def foreign(record: Record, why: EventError) -> Finding:
    """Return the finding about a message that could not be folded; `why` is what the fold said."""
    job, author, name = _tokens(record.subject)
    kind_of, right, event_id = _false(record)
    return Finding(
        position=record.position,
        kind=kind_of,
        rule=FORM,
        job=job,
        type=name,
        author=author,
        event=event_id,
        what=why.what,
        right=right,
    )


def newer(record: Record, why: NewerEvent) -> Finding:
    """Return the finding about an event that only a newer version of Lota knows."""
    job, author, name = _tokens(record.subject)
    return Finding(
        position=record.position,
        kind="newer",
        rule=FORM,
        job=job,
        type=name,
        author=author,
        event=why.id,
        what=why.what,
        right="audit it with that version: what follows from it cannot be proved here",
    )


def _tokens(subject: str) -> tuple[str, str, str]:
    """Return the job, author and type that a subject names, as far as it does."""
    match subject.split("."):
        case ["lota", "ev", _, job, _, author, *rest]:
            return job, author, ".".join(rest)
        case _:
            return "", "", ""


def _false(record: Record) -> tuple[Kind, str, str]:
    """Return what a message is that says something false, what would be right, and its id."""
    match record.subject.split("."):
        case ["lota", "ev", part, job, _, _, *_] if part != partition(job):
            return "forged", f"the partition of {job[:40]!r} is {partition(job)}", ""
        case _:
            pass
    try:
        address = parse(record.subject)
        kind, event, _ = PRESENT.read(record.body)
    except EventError:
        return "foreign", "only events of ours are on the log", ""
    role = role_of(event)
    if kind != address.kind or event.subject != address.job:
        place = f"{partition(event.subject)}.{event.subject[:40]}.{role}.<author>.{kind}"
        return "forged", f"such an event stands under lota.ev.{place}", event.id
    if role != address.role:
        return "forged", f"{address.kind} is written by role {role!r}", event.id
    return "forged", "the time of an event is in RFC 3339", event.id
