"""The subject grammar, both ways, in one place.

    lota.ev.<partition>.<job>.<role>.<author>.<noun>.<verb>      events, on the log
    lota.ev.net._.<role>.<author>.<noun>.<verb>                  events about nodes
    lota.cmd.<node>    lota.rpc.<node>    lota.hb.<node>         core NATS, not stored

The partition is part of the format for ever: the first byte of sha256(job id) in hex.
"""

import hashlib
import re
from functools import lru_cache
from typing import Literal, NamedTuple, cast

from events.errors import UnknownEvent

Role = Literal["r", "c", "g"]
ROLES = frozenset(("r", "c", "g"))
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
NET = "_"
TOKENS = 7
"""The parts of a subject; the last, the kind, is two tokens."""
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
    return "net" if job == NET else hashlib.sha256(job.encode()).hexdigest()[:2]


def subject(job: str, role: Role, author: str, kind: str) -> str:
    """Return the subject of an event of `kind` (two tokens)."""
    return f"lota.ev.{partition(job)}.{job}.{role}.{author}.{kind}"


def parse(text: str) -> Address:
    """Return the parts of an event's subject. Raises UnknownEvent if it is none of ours."""
    tokens = text.split(".", TOKENS - 1)
    if len(tokens) != TOKENS or tokens[0] != "lota" or tokens[1] != "ev" or tokens[4] not in ROLES:
        raise UnknownEvent(f"subject {text!r} does not follow the grammar")
    _, _, part, job, role, author, kind = tokens
    if kind.count(".") != 1:
        raise UnknownEvent(f"subject {text!r} does not follow the grammar")
    if not _is_name(author) or not _is_job(job):
        raise UnknownEvent(f"subject {text!r} has a job id or author that is no name")
    if part != partition(job):
        raise UnknownEvent(f"subject {text!r} has the partition of another job")
    return Address(part, job, cast("Role", role), author, kind)


@lru_cache(maxsize=4096)
def _is_name(text: str) -> bool:
    return NAME.fullmatch(text) is not None


@lru_cache(maxsize=65536)
def _is_job(text: str) -> bool:
    return text == NET or JOB_ID.fullmatch(text) is not None


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
