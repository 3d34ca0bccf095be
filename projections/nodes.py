"""The nodes of the network, as their events and their verdicts tell."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from events.decisions import NodeLost, NodeQuarantined, ResultsJudged
from events.entry import Entry
from events.facts import NodeDrained, NodeJoined, NodeLeft
from events.items import Capabilities
from events.log import Record
from events.seal import EMPTY, extend
from events.spec import JobSpec, PublisherSpec
from events.units import size_bytes
from projections.ring import score, top
from projections.state import Job, Mutable, Skipped

NodeState = Literal["live", "draining", "left", "lost"]
LOCALITY_WEIGHT = 4.0


class Node(Mutable, omit_defaults=False):
    """One node: its present life, what it can do, and how its claims were judged.

    `left_ms` is when it last said, by its own clock, that it drains or leaves.
    """

    name: str
    incarnation: str
    capabilities: Capabilities
    joined_at: str
    position: int
    state: NodeState = "live"
    holds: set[str] = set()
    quarantined_until_ms: int | None = None
    agreed: int = 0
    differed: int = 0
    reason: str = ""
    left_ms: int = 0


class Nodes(Mutable):
    """All nodes; `requesters` names those that divide the partitions among them now.

    `seen` and `seal` cover all events about nodes so far; `fence` is the position of the last
    decision about nodes. `newer` and `held` are as in `projections.state.Job`.
    """

    members: dict[str, Node] = {}
    requesters: tuple[str, ...] = ()
    seen: int = 0
    seal: bytes = EMPTY
    last_event: str = ""
    fence: int = 0
    late: int = 0
    illegal: int = 0
    newer: dict[str, Skipped] = {}
    held: str = ""

    def present(self, role: str) -> bool:
        """Whether a node is there in a role; one that drains is, and the last one goes on."""
        return any(
            node.state in ("live", "draining") and role in node.capabilities.roles
            for node in self.members.values()
        )

    def live(self, role: str) -> list[Node]:
        """Return the nodes that are present in a role, draining ones left out."""
        return [
            node
            for node in self.members.values()
            if node.state == "live" and role in node.capabilities.roles
        ]


def evolve_nodes(nodes: Nodes, entry: Entry) -> Nodes:
    """Fold one message about nodes, in log order."""
    count_nodes(nodes, entry.record)
    nodes.last_event = entry.event.id
    for part in entry.parts():
        _evolve(nodes, part)
    nodes.requesters = tuple(node.name for node in nodes.live("requester"))
    return nodes


def _evolve(nodes: Nodes, entry: Entry) -> None:
    event = entry.event
    author = entry.address.author
    if isinstance(event, NodeJoined):
        _join(nodes, entry, event)
    elif isinstance(event, NodeDrained | NodeLeft):
        member = nodes.members.get(author)
        if member is None or member.incarnation != event.data.incarnation:
            nodes.late += 1
        elif member.state in ("live", "draining"):
            member.state = "draining" if isinstance(event, NodeDrained) else "left"
            member.left_ms = entry.time_ms
        else:
            nodes.late += 1
    elif isinstance(event, NodeLost):
        nodes.fence = entry.position
        member = nodes.members.get(event.data.node)
        if member is None or member.incarnation != event.data.incarnation:
            nodes.late += 1
        elif member.state in ("live", "draining"):
            member.state, member.reason = "lost", event.data.reason
        else:
            nodes.late += 1
    elif isinstance(event, NodeQuarantined):
        nodes.fence = entry.position
        member = nodes.members.get(event.data.node)
        if member is None:
            nodes.illegal += 1
        else:
            member.quarantined_until_ms = event.data.until_ms
            member.reason = event.data.reason
    else:
        nodes.illegal += 1


def count_nodes(nodes: Nodes, record: Record) -> None:
    """Take a stored message into `seen` and `seal`; also one that does not decode."""
    nodes.seen += 1
    nodes.seal = extend(nodes.seal, record.subject, record.body)


def _join(nodes: Nodes, entry: Entry, event: NodeJoined) -> None:
    """Begin a life of a node; the same life told twice does not bring a lost one back."""
    author = entry.address.author
    known = nodes.members.get(author)
    if known is not None and known.incarnation == event.data.incarnation:
        nodes.late += 1
        return
    node = Node(
        name=author,
        incarnation=event.data.incarnation,
        capabilities=event.data.capabilities,
        joined_at=event.time,
        position=entry.position,
        holds=set(event.data.holds),
    )
    if known is not None:
        node.agreed, node.differed = known.agreed, known.differed
        node.quarantined_until_ms = known.quarantined_until_ms
    nodes.members[author] = node


def note_verdicts(nodes: Nodes, job: Job, event: ResultsJudged) -> None:
    """Let the standing of nodes follow from the verdicts on their claims."""
    for judgement in event.data.judgements:
        if judgement.result != "accepted" or job.spec.deal.replicas == 1:
            continue
        if not 0 <= judgement.shard < len(job.shards):
            continue
        executions = job.shards[judgement.shard].executions
        for attempt in judgement.accepted:
            _stand(nodes, executions[attempt].node if attempt < len(executions) else "", right=True)
        for rejection in judgement.rejected:
            attempt = rejection.attempt
            _stand(
                nodes, executions[attempt].node if attempt < len(executions) else "", right=False
            )


def _stand(nodes: Nodes, name: str, *, right: bool) -> None:
    node = nodes.members.get(name)
    if node is None:
        return
    if right:
        node.agreed += 1
    else:
        node.differed += 1


def refusal(node: Node, spec: JobSpec, now_ms: int) -> str:
    """Return why a node cannot run a shard of this job, or "" if it can."""
    can = node.capabilities
    if node.state != "live":
        return f"it is {node.state}"
    if "compute" not in can.roles:
        return "it is no compute node"
    until = node.quarantined_until_ms
    if until is not None and (until == 0 or until > now_ms):
        return f"it is quarantined: {node.reason}"
    if spec.engine not in can.engines:
        return f"it does not run engine {spec.engine} (it runs {', '.join(can.engines) or 'none'})"
    for name, value in spec.labels.items():
        if name.startswith("node.") and can.labels.get(name[5:]) != value:
            return f"it has no label {name[5:]}={value}"
    return _short_of(can, spec) or _cannot_publish(can, spec) or _cannot_read(can, spec)


def _short_of(can: Capabilities, spec: JobSpec) -> str:
    need = spec.resources
    if need.cpu > can.cpu:
        return f"it has {can.cpu:g} cores of {need.cpu:g}"
    if size_bytes(need.memory) > can.memory_bytes:
        return f"it has {can.memory_bytes >> 20} MiB of memory, {need.memory} are asked"
    if size_bytes(need.disk) > can.disk_bytes:
        return f"it has {can.disk_bytes >> 20} MiB of disk, {need.disk} are asked"
    if need.gpu > can.gpu:
        return f"it has {can.gpu} of {need.gpu} GPUs"
    return ""


def _cannot_publish(can: Capabilities, spec: JobSpec) -> str:
    reasons = [why for publisher in spec.publishers if (why := lacking(can, publisher))]
    able = len(spec.publishers) - len(reasons)
    return reasons[-1] if able < spec.slots_needed else ""


def lacking(can: Capabilities, publisher: PublisherSpec) -> str:
    """Return what a node lacks to publish there, or ""."""
    if publisher.driver not in can.publishers:
        return f"it has no publisher {publisher.driver}"
    if publisher.credential and publisher.credential not in can.credentials:
        return f"it has no credential {publisher.credential!r}"
    return ""


def _cannot_read(can: Capabilities, spec: JobSpec) -> str:
    for entry in spec.inputs:
        if entry.source.startswith("file://") and not holds_data(can, entry.source):
            return f"it may not read {entry.source} (see --allow-path)"
    return ""


def holds_data(can: Capabilities, source: str) -> bool:
    """Whether the node declares a prefix that the source lies under."""
    return any(
        source == prefix or source.startswith(prefix.rstrip("/") + "/") for prefix in can.data
    )


def weight(node: Node, spec: JobSpec) -> float:
    """Return the node's share of shards: its width, more where it holds remote inputs already."""
    held = any(
        holds_data(node.capabilities, entry.source)
        for entry in spec.inputs
        if not entry.source.startswith("file://")
    )
    return node.capabilities.width * (LOCALITY_WEIGHT if held else 1.0)


def by_askings(
    nodes: Iterable[Node], spec: JobSpec, key: str, times: Mapping[str, int]
) -> list[str]:
    """Return the names of nodes in the order in which further offers go out.

    `times` says how often each has been asked: fewest first, then the best by the ring.
    """
    ranked = sorted(
        (times.get(node.name, 0), -score(node.name, key, weight(node, spec)), node.name)
        for node in nodes
    )
    return [name for _, _, name in ranked]


def owner(nodes: Nodes, partition: str) -> str:
    """Return the requester that owns a partition, "" if none is present. Advice, not a fence."""
    return _owner(nodes.requesters, partition)


@lru_cache(maxsize=4096)
def _owner(requesters: tuple[str, ...], partition: str) -> str:
    chosen = top(((name, 1.0) for name in requesters), partition, 1)
    return chosen[0] if chosen else ""
