"""The stories of simulated networks that are recorded, under the policy that is shipped."""

from collections.abc import Callable

from events.requests import CancelRequested, CancelRequestedData
from events.spec import Deal, Input, JobSpec, Sharding, normal
from node.effects import Append
from node.policy import Policy
from tests.simulation.character import Liar, Withholder
from tests.simulation.faults import Faults
from tests.simulation.stage import FREE, JOB, LINKED, PAID, Stage
from tests.simulation.world import Plan, World

POLICY = Policy()


def _one_shard() -> Stage:
    stage = Stage(policy=POLICY)
    stage.open()
    stage.submit(verifier="none")
    stage.play()
    return stage


def _many_shards() -> Stage:
    stage = Stage(nodes=6, policy=POLICY)
    for node in stage.nodes:
        node.run_ms = 300
    stage.open()
    stage.submit(shards=160, publishers=(FREE,))
    stage.play()
    return stage


def _replicas_and_a_liar() -> Stage:
    stage = Stage(nodes=5, cast=[Liar()], policy=POLICY)
    stage.open()
    stage.submit(replicas=3, confidence=2, shards=12, publishers=(FREE,))
    stage.play()
    return stage


def _disagreement() -> Stage:
    stage = Stage(nodes=2, cast=[Liar()], policy=POLICY)
    stage.open()
    stage.submit(replicas=2)
    stage.play()
    return stage


def _withheld() -> Stage:
    stage = Stage(nodes=3, cast=[Withholder()], policy=POLICY)
    stage.open()
    stage.submit(replicas=3, confidence=2)
    stage.play()
    return stage


def _hung_requester() -> Stage:
    stage = Stage(nodes=3, requesters=2, policy=POLICY)
    stage.open()
    stage.submit(replicas=2, publishers=(FREE,), deadline="10m")
    stage.play(lambda: stage.told("job.planned"))
    owner = next(one for one in stage.requesters if one.name == stage.job.decider)
    owner.hung_until_ms = stage.world.steps.now_ms + 60_000
    stage.play()
    return stage


def _retries() -> Stage:
    stage = Stage(nodes=5, seed=3, faults=Faults(broken=0.3), policy=POLICY)
    stage.open()
    stage.submit(shards=10)
    stage.play()
    return stage


def _all_retries_in_vain() -> Stage:
    stage = Stage(nodes=3, faults=Faults(broken=1.0), policy=POLICY)
    stage.open()
    stage.submit()
    stage.play()
    return stage


def _lost_nodes() -> Stage:
    stage = Stage(nodes=4, requesters=2, policy=POLICY)
    for node in stage.nodes:
        node.run_ms = 9_000
    stage.open()
    stage.submit(shards=8, publishers=(FREE,))
    stage.play(lambda: stage.told("executions.started"))
    stage.node(stage.job.shards[0].executions[0].node).crash()
    stage.play()
    return stage


def _too_slow() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    for node in stage.nodes:
        node.run_ms = 90_000
    stage.open()
    stage.submit()
    stage.play(lambda: stage.told("executions.lost"))
    for node in stage.nodes:
        node.run_ms = 100
    stage.play()
    return stage


def _free_takeover() -> Stage:
    stage = Stage(nodes=4, policy=POLICY)
    for node in stage.nodes:
        node.upload_ms = 5_000
    stage.open()
    stage.submit(replicas=2, shards=4, publishers=(FREE, LINKED))
    stage.play(lambda: stage.told("results.judged") and bool(stage.job.shards[0].slots))
    given = stage.job.shards[0].slots[0].attempt
    stage.node(stage.job.shards[0].executions[given].node).crash()
    stage.play()
    return stage


def _paid_takeover() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    stage.open(lambda _, kind: [40_000] if kind == "publish" else None)
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: stage.told("results.judged"))
    given = stage.job.shards[0].slots[0].attempt
    stage.node(stage.job.shards[0].executions[given].node).crash()
    stage.play(lambda: stage.told("publications.revoked"))
    stage.wire.fate = lambda _, __: None
    stage.play()
    return stage


def _paid_takeover_in_doubt() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    for node in stage.nodes:
        node.upload_ms = 60_000
    stage.open()
    stage.submit(replicas=2, publishers=(PAID,))
    stage.play(lambda: stage.told("publish.started"))
    stage.node(stage.events("publish.started")[0].address.author).crash()
    for node in stage.nodes:
        node.upload_ms = 100
    stage.play()
    return stage


def _root_of_a_dead_node() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    stage.open()
    stage.submit(replicas=2, shards=5, publishers=(LINKED,))
    stage.play(lambda: stage.told("publications.assigned"))
    stage.node(stage.job.roots[0].node).crash()
    stage.play()
    return stage


def _cancel() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    for node in stage.nodes:
        node.run_ms = 9_000
    stage.open()
    stage.submit(shards=6)
    stage.play(lambda: stage.told("executions.started"))
    data = CancelRequestedData(reason="changed my mind")
    wish = Append(job=JOB, kind=CancelRequested, data=data, cause="")
    stage.world.client.insist(wish, lambda _: None)
    stage.play()
    return stage


def _deadline() -> Stage:
    stage = Stage(nodes=1, policy=POLICY)
    stage.open()
    stage.submit(replicas=3, confidence=2, deadline="30s")
    stage.play()
    return stage


def _remote_inputs() -> Stage:
    stage = Stage(nodes=3, policy=POLICY)
    stage.open()
    spec = JobSpec(
        engine="noop",
        inputs=(Input("s3://bucket/data"),),
        sharding=Sharding(size=1),
        deal=Deal(2, 2),
        timeout="10s",
        deadline="3m",
    )
    stage.world._submit(JOB, normal(spec, publishers={}))
    stage.play()
    return stage


STORIES: dict[str, Callable[[], Stage]] = {
    "one-shard": _one_shard,
    "many-shards": _many_shards,
    "replicas-and-a-liar": _replicas_and_a_liar,
    "disagreement": _disagreement,
    "withheld": _withheld,
    "hung-requester": _hung_requester,
    "retries": _retries,
    "all-retries-in-vain": _all_retries_in_vain,
    "lost-nodes": _lost_nodes,
    "too-slow": _too_slow,
    "free-takeover": _free_takeover,
    "paid-takeover": _paid_takeover,
    "paid-takeover-in-doubt": _paid_takeover_in_doubt,
    "root-of-a-dead-node": _root_of_a_dead_node,
    "cancel": _cancel,
    "deadline": _deadline,
    "remote-inputs": _remote_inputs,
}
WILD = (2, 5, 11)
"""Seeds of networks in which everything goes wrong."""
WILD_JOBS = 7


def wild(seed: int) -> World:
    """Play a network in which everything goes wrong."""
    world = World(Plan(seed=seed, jobs=WILD_JOBS), POLICY)
    world.run()
    return world
