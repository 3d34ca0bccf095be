"""What can go wrong, as rates: a calm run and a wild one are the same code with other numbers."""

import msgspec


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are chances from 0 to 1, per message or per process and second of virtual time."""

    lost: float = 0.0
    """A message, an append or an acknowledgement that never arrives."""
    delayed: float = 0.0
    """One that takes seconds, so that others overtake it."""
    repeated: float = 0.0
    """One that arrives again, now or after the dedupe window."""
    crash: float = 0.0
    partition: float = 0.0
    drain: float = 0.0
    """A node or requester that an operator lets drain, then stops in good order and starts anew."""
    hang: float = 0.0
    """A requester that does nothing for a while and still sends heartbeats."""
    amnesia: float = 0.0
    """A restarted node that has lost its database."""
    orphan: float = 0.0
    """A payment that goes on although the process that began it has died."""
    slow: float = 0.0
    """A run or an upload that takes longer than it may."""
    broken: float = 0.0
    """A run or an upload that infrastructure fails."""
    dishonest: float = 0.0
    """A node that lies, copies or withholds, per node."""
    skew: float = 0.0
    """Clocks that are seconds apart and drift, per process."""
    foreign: float = 0.0
    """Somebody else's message under a job's subjects."""
    cancel: float = 0.0
    """A client that changes its mind."""


CALM = Faults()
WILD = Faults(
    lost=0.03,
    delayed=0.05,
    repeated=0.03,
    crash=0.01,
    partition=0.005,
    drain=0.01,
    hang=0.01,
    amnesia=0.1,
    orphan=0.3,
    slow=0.03,
    broken=0.05,
    dishonest=0.08,
    skew=0.5,
    foreign=0.05,
    cancel=0.1,
)
KINDS = tuple(Faults.__struct_fields__)


def without(faults: Faults, kind: str) -> Faults:
    """Return the same faults without one kind."""
    return msgspec.structs.replace(faults, **{kind: 0.0})
