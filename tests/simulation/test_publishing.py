"""Cases about publishing: slots, takeovers and payments, as scripts over the whole network."""

from tests.simulation.compute import Compute, capable
from tests.simulation.faults import Faults
from tests.simulation.stage import FREE, JOB, LINKED, PAID, Stage, first


def test_free_publisher_slow() -> None:
    """A slow publisher is not waited for, and what it still publishes is an extra copy."""
    stage = Stage(nodes=3)
    stage.open()
    for node in stage.nodes:
        node.upload_ms = 20_000
    stage.submit(replicas=3, confidence=3, publishers=(FREE,))
    stage.play(lambda: len(stage.events("publications.assigned")) > 0)
    stage.play()

    copies = stage.job.shards[0].slots[0].copies
    assert stage.job.state == "completed"
    assert copies[0].attempt == 0
    assert stage.job.illegal == 0


def test_paid_publisher_slow() -> None:
    """A slow paid publication is looked up by another node, and never paid for again."""
    stage = Stage(nodes=3)
    stage.open()
    for node in stage.nodes:
        node.upload_ms, node.pays_after_ms = 40_000, 0
    stage.submit(replicas=3, confidence=3, publishers=(PAID,))
    stage.play(lambda: bool(stage.payments))
    for node in stage.nodes:
        node.upload_ms = 0
    stage.play()

    kinds = [entry.address.kind for entry in stage.log()]
    assert kinds.index("publish.started") < kinds.index("publications.revoked")
    assert stage.job.state == "completed"
    assert len(stage.payments) == 1


def test_takeover_before_start() -> None:
    """A paid slot of a node that died before it began is revoked, and given to another."""
    stage = Stage(nodes=3)
    stage.open(first("publish", []))
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: stage.told("results.judged"))
    given = stage.job.shards[0].slots[0].attempt
    dead = stage.node(stage.job.shards[0].executions[given].node)
    dead.crash()
    stage.play()

    assert stage.told("publications.revoked")
    assert stage.job.state == "completed"
    assert len(stage.payments) == 1
    assert stage.payments != [dead.name]


def test_takeover_after_payment() -> None:
    """Where a node died after paying, another finds the copy by its key and pays nothing."""
    stage = Stage(nodes=3)
    stage.open()
    for node in stage.nodes:
        node.upload_ms, node.pays_after_ms = 5_000, 0
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: bool(stage.payments))
    stage.node(stage.payments[0]).crash()
    stage.play()

    slot = stage.job.shards[0].slots[0]
    assert stage.job.state == "completed"
    assert slot.lookups == 1
    assert len(stage.payments) == 1


def test_takeover_in_doubt() -> None:
    """Where nobody can tell whether a dead node has paid, nobody pays, and a person must look."""
    stage, _ = _dead_before_paying()
    stage.play()

    assert (stage.job.state, stage.job.code) == ("failed", "publishing")
    assert "a person must look" in stage.job.reason
    assert stage.payments == []


def test_start_without_payment() -> None:
    """A node that died between its word that it pays and the payment knows it, and pays once."""
    stage, dead = _dead_before_paying()
    dead.start()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.payments) == 1


def test_word_that_nothing_was_paid_again() -> None:
    """The word that nothing was paid frees a slot once, also when it is stored again later."""
    stage = Stage(nodes=1)
    (node,) = stage.nodes
    stage.open()
    node.upload_ms = 60_000
    stage.submit(publishers=(PAID,))
    stage.play(lambda: stage.told("publish.started"))
    node.crash()
    node.upload_ms, node.pays_after_ms = 9_000, 0
    node.start()
    stage.play(lambda: bool(stage.payments))
    node.crash()
    stage.play(lambda: stage.told("publications.revoked"))
    stage.play_for(10_000)
    (unpaid,) = stage.events("publish.failed")
    assert stage.store_again(unpaid) is None
    node.start()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.payments) == 1


def test_payment_by_an_orphan() -> None:
    """A payment that outlives its process is waited for, and not made again."""
    stage = Stage(nodes=2, faults=Faults(orphan=1.0))
    stage.open()
    for node in stage.nodes:
        node.upload_ms, node.pays_after_ms = 9_000, 4_000
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: stage.told("publish.started"))
    dead = stage.node(stage.events("publish.started")[0].address.author)
    stage.play(lambda: bool(stage.world.services.in_flight))
    dead.crash()
    dead.start()
    stage.play()

    assert stage.job.state == "completed"
    assert stage.payments == [dead.name]


def test_root_is_published() -> None:
    """Where shards are found by CID the root is published too, once, before the job completes."""
    stage = Stage(nodes=3)
    stage.open()
    stage.submit(replicas=2, shards=5, publishers=(LINKED, FREE))
    stage.play()

    assert stage.job.state == "completed"
    assert stage.world.services.roots == {(JOB, LINKED): stage.job.root_cid}
    assert {number: slot.state for number, slot in stage.job.roots.items()} == {0: "published"}


def test_root_of_a_dead_node() -> None:
    """When the node that has the root dies, another publishes it."""
    stage = Stage(nodes=3)
    stage.open()
    stage.submit(replicas=2, publishers=(LINKED,))
    stage.play(lambda: stage.told("publications.assigned"))
    stage.node(stage.job.roots[0].node).crash()
    stage.play()

    assert stage.job.state == "completed"
    assert stage.job.roots[0].state == "published"
    assert len(stage.job.roots[0].nodes) == 2


def test_root_that_nobody_can_publish() -> None:
    """A job whose root cannot be published completes without, and says why."""
    stage = Stage(nodes=2)
    stage.open()
    for node in stage.nodes:
        node.breaks_roots = True
    stage.submit(publishers=(LINKED,))
    stage.play()

    assert stage.job.state == "completed"
    assert stage.job.roots[0].reason == "unreachable: "


def test_old_order_after_payment() -> None:
    """An order older than what an earlier life of the node has paid for does not make it pay."""
    stage = Stage(nodes=1)
    (node,) = stage.nodes
    node.capabilities = capable(publishers=(PAID,), width=1)
    stage.open(first("publish", [1, 4_000]))
    node.run_ms, node.upload_ms = 100, 500
    stage.submit(shards=2, publishers=(PAID,))
    stage.play(lambda: bool(node.busy))
    node.run_ms = 12_000
    stage.play(lambda: stage.told("results.published"))
    node.crash()
    node.start()
    stage.play()

    assert stage.job.state == "completed"
    assert len(stage.payments) == 1


def _dead_before_paying() -> tuple[Stage, Compute]:
    """Return a network of quick nodes, of which one has died between its word and its payment."""
    stage = Stage(nodes=3)
    stage.open()
    for node in stage.nodes:
        node.upload_ms = 60_000
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: stage.told("publish.started"))
    dead = stage.node(stage.events("publish.started")[0].address.author)
    dead.crash()
    for node in stage.nodes:
        node.upload_ms = 100
    return stage, dead
