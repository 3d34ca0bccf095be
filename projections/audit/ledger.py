"""Where the checks of one audit write down what they found and what they proved."""

from collections import Counter
from collections.abc import Iterable

from events.entry import Entry
from projections.audit.finding import Finding, Kind

FINDINGS_MAX = 1_000
SUSPENDED_MAX = 10_000


class Ledger:
    """The findings and counts so far; it keeps the first thousand findings and counts all."""

    def __init__(self) -> None:
        self.found = 0
        self.late = 0
        self.repeated = 0
        self.outside = 0
        self.jobs = 0
        self.closed = 0
        self.proved: Counter[str] = Counter()
        self.unprovable: Counter[str] = Counter()
        self._findings: list[Finding] = []

    def add(self, finding: Finding) -> None:
        """Write a finding down."""
        self.found += 1
        if len(self._findings) < FINDINGS_MAX:
            self._findings.append(finding)

    def note(self, entry: Entry, kind: Kind, rule: int, what: str, right: str) -> None:
        """Write down what is wrong with an event."""
        self.add(about(entry, kind, rule, what, right))

    def judge(
        self, entry: Entry, subject: str, rule: int, wrong: Iterable[tuple[str, str]]
    ) -> None:
        """Write down what a proof found wrong with a decision, or that it found nothing."""
        clean = True
        for what, right in wrong:
            clean = False
            self.note(entry, "unproven", rule, what, right)
        if clean:
            self.proved[subject] += 1

    def findings(self) -> tuple[Finding, ...]:
        """Return the findings that were kept, in log order."""
        return tuple(sorted(self._findings, key=lambda finding: finding.position))


def about(entry: Entry, kind: Kind, rule: int, what: str, right: str) -> Finding:
    """Return a finding about an event."""
    return Finding(
        position=entry.position,
        kind=kind,
        rule=rule,
        job=entry.address.job,
        type=entry.address.kind,
        author=entry.address.author,
        event=entry.event.id,
        what=what,
        right=right,
    )
