"""How the job's root comes to a service that finds by CID, event by event."""

from io import BytesIO

from events.car import car
from events.cid import cid_bytes, node_cid
from events.decisions import PublicationsAssigned, PublicationsAssignedData
from events.facts import (
    PublishFailed,
    PublishFailedData,
    ResultsPublished,
    ResultsPublishedData,
)
from events.items import Publication, RootAssignment, RootFailure, RootPublication
from projections.state import RootSlot
from projections.waiting import why_waiting
from publishers.car import read_car
from tests.projections.conversation import CLAIM, Conversation, agreed

ROOT = node_cid(b"root")


def done() -> Conversation:
    """Return a conversation whose one shard is published."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    copy = Publication(0, 0, 0, "free://0", CLAIM.cid, CLAIM.dag_size_bytes, 5)
    talk.tell("n0", ResultsPublished, ResultsPublishedData(publications=(copy,)))
    return talk


def give(talk: Conversation, attempt: int = 0, slot: int = 0) -> None:
    talk.decide(
        PublicationsAssigned,
        PublicationsAssignedData,
        assignments=(),
        until_ms=talk.now_ms + 1_000,
        roots=(RootAssignment(slot, 0, attempt),),
        root_cid=ROOT,
        root_blob="blob",
    )


def tell(talk: Conversation, node: str, attempt: int, cid: str = ROOT) -> None:
    item = RootPublication(0, 0, attempt, f"ipfs://{cid}", cid, 10, 5)
    talk.tell(node, ResultsPublished, ResultsPublishedData(publications=(), roots=(item,)))


def fail(talk: Conversation, node: str, attempt: int) -> None:
    item = RootFailure(0, 0, attempt, "service", "away")
    talk.tell(node, PublishFailed, PublishFailedData(failures=(), roots=(item,)))


def root(talk: Conversation) -> RootSlot:
    return talk.job.roots[0]


def test_a_root_is_given_and_published() -> None:
    """Whoever the root was given to says where it is."""
    talk = done()
    give(talk)
    assert (root(talk).state, root(talk).node, root(talk).tries) == ("assigned", "n0", 1)
    tell(talk, "n0", 0)
    assert (root(talk).state, root(talk).uri) == ("published", f"ipfs://{ROOT}")
    assert (talk.job.late, talk.job.illegal) == (0, 0)


def test_a_root_comes_after_all_shards() -> None:
    """Before every shard is published there is no root to publish."""
    talk = agreed(publishers=("free",))
    talk.judge(0, 1, publish=(0,))
    give(talk)
    assert (talk.job.roots, talk.job.illegal) == ({}, 1)


def test_a_root_goes_to_one_of_the_publishers() -> None:
    """A slot that the job does not name is illegal."""
    talk = done()
    give(talk, slot=3)
    assert (talk.job.roots, talk.job.illegal) == ({}, 1)


def test_another_root_is_illegal() -> None:
    """A node cannot publish another root than the one it was given."""
    talk = done()
    give(talk)
    tell(talk, "n0", 0, node_cid(b"other"))
    assert (root(talk).state, talk.job.illegal) == ("assigned", 1)


def test_a_root_from_who_was_not_asked_is_illegal() -> None:
    """A fact about the root counts only from a node that it was given to."""
    talk = done()
    give(talk)
    tell(talk, "n1", 1)
    assert (root(talk).state, talk.job.illegal) == ("assigned", 1)


def test_a_failed_root_goes_to_another_node() -> None:
    """After a failure another node gets it, and what the first says then is late or welcome."""
    talk = done()
    give(talk)
    fail(talk, "n0", 0)
    assert (root(talk).state, root(talk).reason) == ("retry", "service: away")
    give(talk, attempt=1)
    fail(talk, "n0", 0)
    assert (root(talk).state, root(talk).node, talk.job.late) == ("assigned", "n1", 1)
    tell(talk, "n0", 0)
    assert root(talk).state == "published"
    tell(talk, "n1", 1)
    assert (talk.job.late, talk.job.illegal) == (2, 0)


def test_a_job_that_waits_for_its_root_says_so() -> None:
    """Who asks why the job is not completed is told which node has the root, or what failed."""
    talk = done()
    give(talk)
    (reason,) = [r for r in why_waiting(talk.job, talk.network.nodes, talk.now_ms) if r["node"]]
    assert (reason["code"], reason["node"]) == ("publishing", "n0")
    fail(talk, "n0", 0)
    (reason,) = [r for r in why_waiting(talk.job, talk.network.nodes, talk.now_ms) if r["node"]]
    assert "away" in reason["message"]


def test_the_blob_of_a_root_is_a_car() -> None:
    """What a requester stores for the node that publishes is read by the reader of results."""
    block = b"\n\x02\x08\x01"
    cid = cid_bytes(node_cid(block))
    assert list(read_car(BytesIO(car(cid, [(cid, block)])))) == [(cid, block)]
