"""What the `lotus` command line says of storage deals, read without believing more than it says.

The states and what follows from them are go-fil-markets' client (v1.24,
`storagemarket/impl/clientstates/client_fsm.go`): a deal goes 20, 22, 12, 16, 17, 13, 3, 29, 5, 7.
Money moves when the provider puts the signed proposal on the chain, so a deal that failed is
surely unpaid only when the provider never had the proposal, or turned it down.
"""

import re
from typing import NamedTuple

import msgspec

from events.errors import PublishError

REJECTED = 2
PROPOSAL_ACCEPTED = 3
ACTIVE = 7
CHECK_FOR_ACCEPTANCE = 13

ACCEPTED_STATES = frozenset({3, 4, 5, 6, 7, 13, 29})
"""The provider has all bytes: 13 says that it checks them, the others that it took the deal."""

FAILED_STATES = frozenset({2, 8, 9, 10, 11, 26})
"""Rejected, expired, slashed, rejecting, failing, error: a deal never leaves these for the good."""

_NAMES = {
    2: "rejected", 3: "accepted", 5: "sealing", 7: "active", 8: "expired", 9: "slashed",
    10: "rejecting", 11: "failing", 12: "funds reserved", 13: "being checked", 16: "starting",
    17: "transferring", 26: "failed", 29: "on the chain",
}  # fmt: skip

_NEVER_SENT = "adding market funds failed"
_TURNED_DOWN = re.compile(
    r"unexpected deal status while waiting for data request: (?:2|10|11|26)\b"
    r"|deal failed: \(State=(?:2|10)\)"
)
_PROPOSAL = re.compile(r"(b[a-z2-7]{50,120})\n")
_HEADER = re.compile(r"Created\s+DealCid\s+DealId\s+Provider\s+State\b")
_ROW = re.compile(r".*?\s(b[a-z2-7]{50,120})\s+\d+\s+([ft]\w+)\s+StorageDeal\w+")
_LIKE_A_ROW = re.compile(
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d\s|.*(?:\bStorageDeal|\bb[a-z2-7]{50,120}\b)"
)
"""A row begins with the time of its deal. What a message says on lines of its own does not."""
_IMPORT = re.compile(r"(\d+): (\S+) @(.*) \(([^()]*)\)")


class _Link(msgspec.Struct):
    cid: str = msgspec.field(name="/")


class _DataRef(msgspec.Struct, rename="pascal"):
    root: _Link


class _Info(msgspec.Struct, rename="pascal"):
    proposal_cid: _Link
    state: int
    provider: str
    data_ref: _DataRef
    message: str = ""
    size: int = 0
    deal_id: int = msgspec.field(name="DealID", default=0)


class _GetDeal(msgspec.Struct):
    # The key really ends in a colon and a space.
    info: _Info = msgspec.field(name="DealInfo: ")


class Deal(NamedTuple):
    """One deal as the daemon knows it; `size_bytes` is that of its padded piece."""

    proposal: str
    state: int
    message: str
    provider: str
    root: str
    size_bytes: int
    on_chain: bool

    @property
    def failed(self) -> bool:
        """Whether it ended, or is about to, without storing anything."""
        return self.state in FAILED_STATES

    @property
    def transferred(self) -> bool:
        """Whether the daemon needs the CAR no more."""
        return self.failed or self.state in ACCEPTED_STATES

    @property
    def unpaid(self) -> bool:
        """Whether surely nothing was paid for it and nothing will be."""
        if not self.failed or self.on_chain:
            return False
        said = self.message
        return (
            self.state == REJECTED
            or said.startswith(_NEVER_SENT)
            or _TURNED_DOWN.match(said) is not None
        )

    def __str__(self) -> str:
        name = _NAMES.get(self.state, "in a passing state")
        return f"the deal {self.proposal} is {name} (state {self.state})" + (
            f": {self.message[:120]}" if self.message else ""
        )


class Listed(NamedTuple):
    """One row of the list of deals."""

    proposal: str
    provider: str


class Imported(NamedTuple):
    """One import that the daemon knows: its number, the root, and the file."""

    number: str
    root: str
    path: str


def read_deal(printed: str) -> Deal:
    """Read what `client get-deal` prints; raise `PublishError` when it is something else."""
    try:
        info = msgspec.json.decode(printed, type=_GetDeal).info
    except msgspec.DecodeError as error:
        raise unreadable("get-deal", printed) from error
    return Deal(
        info.proposal_cid.cid,
        info.state,
        info.message,
        info.provider,
        info.data_ref.root.cid,
        info.size,
        info.deal_id != 0,
    )


def read_deals(printed: str) -> list[Listed]:
    """Read the table of `client list-deals -v`.

    Messages of deals that failed stand in it as they are, on as many lines as they have. Raises
    `PublishError` for anything else: what cannot be read must not pass for "no deals".
    """
    lines = printed.splitlines()
    if not lines or not _HEADER.match(lines[0]):
        raise unreadable("list-deals", printed)
    rows = []
    for line in lines[1:]:
        found = _ROW.match(line)
        if found is not None:
            rows.append(Listed(found[1], found[2]))
        elif not rows or _LIKE_A_ROW.match(line):
            raise unreadable("list-deals", line)
    return rows


def read_imports(printed: str) -> list[Imported]:
    """Read what `client local` prints; lines of another shape are no imports of ours."""
    found = (_IMPORT.fullmatch(line.strip()) for line in printed.splitlines())
    return [Imported(one[1], one[2], one[3]) for one in found if one is not None]


def read_proposal(printed: str) -> str | None:
    """Return the proposal CID that `client deal` prints; None unless it is a whole line, alone."""
    found = _PROPOSAL.fullmatch(printed)
    return found[1] if found is not None else None


def unreadable(command: str, printed: str) -> PublishError:
    """Say that a command printed what v1.17 does not."""
    return PublishError(
        "bad-answer",
        f"`lotus client {command}` printed something unknown: {' '.join(printed.split())[:80]!r}",
        hint="Use lotus v1.17 to v1.27.0",
    )
