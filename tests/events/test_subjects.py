"""The subject grammar, both ways."""

import hashlib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events import subjects
from events.codec import KINDS
from events.errors import UnknownEvent
from events.subjects import JOB_ID, NAME, Role, parse, partition, subject

jobs = st.from_regex(JOB_ID, fullmatch=True)
names = st.from_regex(NAME, fullmatch=True)
roles = st.sampled_from(["r", "c", "g"])
kinds = st.sampled_from(sorted(KINDS.values()))


def matches(filter: str, text: str) -> bool:
    """Return whether NATS would deliver the subject by the filter."""
    wanted, given_ = filter.split("."), text.split(".")
    if wanted[-1] == ">":
        wanted, given_ = wanted[:-1], given_[: len(wanted) - 1]
    return len(wanted) == len(given_) and all(
        token in ("*", other) for token, other in zip(wanted, given_, strict=True)
    )


@given(jobs | st.just("_"), roles, names, kinds)
def test_both_ways(job: str, role: str, author: str, kind: str) -> None:
    """A subject is parsed into what it was made of, and has eight tokens."""
    text = subject(job, cast("Role", role), author, kind)

    assert parse(text) == (partition(job), job, role, author, kind)
    assert len(text.split(".")) == 8
    assert matches(subjects.EVERYTHING, text)


@given(jobs)
def test_partition(job: str) -> None:
    """The partition is the first byte of the job id's sha256 in hex, for ever."""
    assert partition(job) == hashlib.sha256(job.encode()).hexdigest()[:2]


def test_known_answers() -> None:
    """These subjects stand in logs and in other tools: they never change."""
    assert subject("demo", "g", "me", "job.submitted") == "lota.ev.2a.demo.g.me.job.submitted"
    assert subject("_", "c", "node-1", "node.joined") == "lota.ev.net._.c.node-1.node.joined"
    assert subjects.command("n") == "lota.cmd.n"
    assert subjects.rpc("n") == "lota.rpc.n"
    assert subjects.heartbeat("n") == "lota.hb.n"


@given(jobs, jobs, roles, names, names, kinds)
def test_filters(job: str, other: str, role: str, author: str, node: str, kind: str) -> None:
    """A filter takes the subjects it is for and no others."""
    text = subject(job, cast("Role", role), author, kind)

    assert matches(subjects.job_events(other), text) == (job == other)
    assert matches(subjects.decisions(other), text) == (job == other and role == "r")
    assert matches(subjects.requests(other), text) == (job == other and role == "g")
    assert matches(subjects.own_facts(node, "bids.placed"), text) == (
        (role, author, kind) == ("c", node, "bids.placed")
    )
    assert not matches(subjects.NODES, text)


def test_node_filters() -> None:
    """Events about nodes have filters of their own, and a fence for decisions."""
    lost = subject("_", "r", "me", "node.lost")
    joined = subject("_", "c", "me", "node.joined")

    assert matches(subjects.NODES, lost)
    assert matches(subjects.NODES, joined)
    assert matches(subjects.NODES_FENCE, lost)
    assert not matches(subjects.NODES_FENCE, joined)
    assert subjects.decisions("_") == subjects.NODES_FENCE
    assert subjects.job_events("_") == subjects.NODES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lota.ev.2a.demo.g.me.job",
        "lota.ev.2a.demo.g.me.job.submitted.v1",
        "lota.cmd.2a.demo.g.me.job.submitted",
        "other.ev.2a.demo.g.me.job.submitted",
        "lota.ev.2b.demo.g.me.job.submitted",
        "lota.ev.2A.demo.g.me.job.submitted",
        "lota.ev.2a.demo.x.me.job.submitted",
        "lota.ev.2a.demo.rc.me.job.submitted",
        "lota.ev.2a.demo..me.job.submitted",
        "lota.ev.2a.demo.g..job.submitted",
        "lota.ev.2a.demo.g.m!.job.submitted",
        f"lota.ev.2a.demo.g.{'n' * 41}.job.submitted",
        f"lota.ev.{hashlib.sha256(b'').hexdigest()[:2]}..g.me.job.submitted",
        f"lota.ev.{hashlib.sha256(b'-a').hexdigest()[:2]}.-a.g.me.job.submitted",
    ],
)
def test_foreign_subjects(text: str) -> None:
    """What does not follow the grammar to the letter is UnknownEvent."""
    with pytest.raises(UnknownEvent):
        parse(text)
