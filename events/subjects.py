"""The subject grammar, both ways, in one place.

    lota.ev.<partition>.<job>.<role>.<author>.<noun>.<verb>      events, on the log
    lota.ev.net._.<role>.<author>.<noun>.<verb>                  events about nodes
    lota.cmd.<node>    lota.rpc.<node>    lota.hb.<node>         core NATS, not stored

The partition is part of the format for ever: the first byte of sha256(job id) in hex.
"""

import hashlib
import re
from functools import lru_cache
from typing import Literal, NamedTuple

from events.errors import UnknownEvent

Role = Literal["r", "c", "g"]
ROLES = frozenset(("r", "c", "g"))
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
NET = "_"
EVERYTHING = "lota.ev.>"
NODES = "lota.ev.net._.>"
NODES_FENCE = "lota.ev.net._.r.>"


class Address(NamedTuple):
    """A parsed subject. `kind` is the event's name without version, as in `results.proposed`."""

    partition: str
    job: str
    role: Role
    author: str
    kind: str


@lru_cache(maxsize=65536)
def partition(job: str) -> str:
    """Return the partition of a job, `net` for the stream of node events."""
    return _partition(job)


def subject(job: str, role: Role, author: str, kind: str) -> str:
    """Return the subject of an event of `kind` (two tokens)."""
    return f"lota.ev.{partition(job)}.{job}.{role}.{author}.{kind}"


def parse(text: str) -> Address:
    """Return the parts of an event's subject. Raises UnknownEvent if it is none of ours."""
    try:
        lota, ev, part, job, role, author, kind = text.split(".", 6)
    except ValueError:
        raise UnknownEvent(f"subject {text!r} does not follow the grammar") from None
    if lota != "lota" or ev != "ev" or role not in ROLES or kind.count(".") != 1:
        raise UnknownEvent(f"subject {text!r} does not follow the grammar")
    expected = _partition_of(job)
    if not expected or not _is_name(author):
        raise UnknownEvent(f"subject {text!r} has a job id or author that is no name")
    if part != expected:
        raise UnknownEvent(f"subject {text!r} has the partition of another job")
    # What a named tuple's own constructor comes to, without the call to it: every event is parsed.
    return tuple.__new__(Address, (part, job, role, author, kind))


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


@lru_cache(maxsize=65536)
def _partition_of(job: str) -> str:
    """Return the partition of a job, "" for what is no job's id."""
    return _partition(job) if job == NET or JOB_ID.fullmatch(job) is not None else ""


def _partition(job: str) -> str:
    return "net" if job == NET else hashlib.sha256(job.encode()).hexdigest()[:2]


def job_events(job: str) -> str:
    """Return the filter for all events of a job."""
    return f"lota.ev.{partition(job)}.{job}.>"


def decisions(job: str) -> str:
    """Return the filter for a job's decisions: the one fence string of every writer."""
    return f"lota.ev.{partition(job)}.{job}.r.>"


def requests(job: str) -> str:
    """Return the filter for what gateways accepted for a job: the fence of its submission."""
    return f"lota.ev.{partition(job)}.{job}.g.>"


def own_facts(node: str, kind: str) -> str:
    """Return the filter for every fact of a kind that a node has ever told, of any job."""
    return f"lota.ev.*.*.c.{node}.{kind}"


def command(node: str) -> str:
    """Return the subject on which a node takes commands."""
    return f"lota.cmd.{node}"


def rpc(node: str) -> str:
    """Return the subject on which a node answers questions about what it holds."""
    return f"lota.rpc.{node}"


def heartbeat(node: str) -> str:
    """Return the subject on which a node says that it is present."""
    return f"lota.hb.{node}"
