"""What the log tells, as metrics of Prometheus: pure, from the fold and from what it has counted.

Counters count since the log began, so they go on where they were when a process starts again.
Labels are of a bounded number: nodes are those that are present, and no job is named.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from projections.network import Network
from projections.nodes import Node
from projections.state import Job
from projections.statistics import histogram, names
from projections.statistics.bucket import Bucket
from projections.statistics.gauges import needs
from projections.track_records import TrackRecord

NODES_MAX = 1_000
"""Nodes that have metrics of their own; more are in the sums alone."""

STAGE_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
MESSAGES_BOUNDS = (7, 8, 9, 10, 12, 15, 20, 30, 50, 100, 300, 1_000, 10_000)
BYTES_BOUNDS = (4e3, 8e3, 16e3, 32e3, 64e3, 256e3, 1e6, 16e6)
PRESENT = ("live", "draining")


class Labelled(NamedTuple):
    """A counter of several counts, told apart by one label; `counts` are its values and names."""

    name: str
    help: str
    label: str
    counts: Iterable[tuple[str, str]]


COUNTERS = (
    Labelled("lota_jobs", "Jobs that were submitted, and that ended.", "event", names.JOBS.items()),
    Labelled(
        "lota_shards", "Shards that were planned, and that ended.", "event", names.SHARDS.items()
    ),
    Labelled("lota_bids", "Answers of nodes to offers.", "answer", names.BIDS.items()),
    Labelled("lota_executions", "What executions came to.", "event", names.EXECUTIONS.items()),
    Labelled("lota_verdicts", "Verdicts on shards.", "result", names.VERDICTS.items()),
    Labelled(
        "lota_publications",
        "Copies that were published, and tries that failed.",
        "result",
        (("published", names.PUBLISHED), ("failed", names.PUBLISH_FAILED)),
    ),
    Labelled(
        "lota_skipped_items", "What was folded and changed nothing.", "why", names.SKIPPED.items()
    ),
)


def counted(ever: Bucket) -> Iterator[Metric]:
    """Yield the counters and histograms of all that was counted since the log began."""
    counts = ever.counts
    events = CounterMetricFamily("lota_events", "Events on the log.", labels=["type"])
    failures = CounterMetricFamily(
        "lota_failures", "Jobs, executions and publications that failed.", labels=["of", "class"]
    )
    for name, count in sorted(counts.items()):
        if name.startswith(names.EVENT):
            events.add_metric([name.removeprefix(names.EVENT)], count)
        elif name.startswith(names.FAILURE):
            failures.add_metric(name.removeprefix(names.FAILURE).split(".", 1), count)
    yield events
    yield failures
    for family in COUNTERS:
        metric = CounterMetricFamily(family.name, family.help, labels=[family.label])
        for value, name in family.counts:
            metric.add_metric([value], counts.get(name, 0))
        yield metric
    yield CounterMetricFamily("lota_offers", "Offers made to nodes.", counts.get(names.OFFERS, 0))
    yield CounterMetricFamily(
        "lota_log_bytes", "Bytes of the bodies of all events.", counts.get(names.BYTES, 0)
    )
    yield CounterMetricFamily(
        "lota_published_bytes", "Bytes of the copies.", counts.get(names.PUBLISHED_BYTES, 0)
    )
    yield from _histograms(ever.histograms)


def _histograms(found: Mapping[str, histogram.Bins]) -> Iterator[Metric]:
    stages = HistogramMetricFamily(
        "lota_stage_seconds", "How long a shard was in each stage, and in all.", labels=["stage"]
    )
    for stage, name in {**names.LATENCY, "total": names.TOTAL}.items():
        bins = found.get(name, [])
        stages.add_metric([stage], *cumulated(bins, STAGE_BOUNDS_S, per_unit=1_000))
    yield stages
    for name, help_text, of, bounds in (
        ("lota_messages_per_job", "Events of a job that ended.", names.MESSAGES, MESSAGES_BOUNDS),
        ("lota_job_bytes", "Bytes of a job's events.", names.JOB_BYTES, BYTES_BOUNDS),
    ):
        metric = HistogramMetricFamily(name, help_text)
        metric.add_metric([], *cumulated(found.get(of, []), bounds))
        yield metric


def cumulated(
    bins: histogram.Bins, bounds: Sequence[float], *, per_unit: int = 1
) -> tuple[list[tuple[str, float]], float]:
    """Return how many values are at most each bound, and the sum of all.

    `per_unit` is how many of what was counted make one of what the bounds are in. A value is known
    within `histogram.ERROR` of it, and so are the sum and what is near a bound.
    """
    within = [0] * (len(bounds) + 1)
    for value, count in histogram.spread(bins):
        within[bisect_left(bounds, value / per_unit)] += count
    told: list[tuple[str, float]] = []
    so_far = 0
    for bound, count in zip((*bounds, None), within, strict=True):
        so_far += count
        told.append(("+Inf" if bound is None else f"{float(bound)}", so_far))
    return told, histogram.sum_of(bins) / per_unit


def standing(network: Network, gauges: Mapping[str, int], now_ms: int) -> Iterator[Metric]:
    """Yield how things stand: open jobs, the queue, what runs, and the nodes in sum."""
    states = Counter(job.state for job in network.jobs.values() if not job.closed)
    jobs = GaugeMetricFamily("lota_open_jobs", "Jobs that have not ended.", labels=["state"])
    for state in ("submitted", "running"):
        jobs.add_metric([state], states[state])
    yield jobs
    yield GaugeMetricFamily(
        "lota_queue_shards", "Shards that wait for a node.", gauges.get(names.QUEUE, 0)
    )
    yield GaugeMetricFamily(
        "lota_running_executions", "Executions under way.", gauges.get(names.RUNNING, 0)
    )
    members = network.nodes.members.values()
    nodes = GaugeMetricFamily("lota_nodes", "Nodes by state.", labels=["state"])
    counts = Counter[str](node.state for node in members)
    for node_state in (*PRESENT, "left", "lost"):
        nodes.add_metric([node_state], counts[node_state])
    yield nodes
    quarantined = sum(1 for node in members if (node.quarantined_until_ms or 0) > now_ms)
    yield GaugeMetricFamily(
        "lota_nodes_quarantined", "Nodes that get no work after wrong results.", quarantined
    )


def of_nodes(network: Network, fared: Mapping[str, TrackRecord]) -> Iterator[Metric]:
    """Yield what each node that is present declares, has in hand, and has come to."""
    present = [
        node
        for _, node in sorted(network.nodes.members.items())
        if node.state in PRESENT and "compute" in node.capabilities.roles
    ]
    used = _used(network.jobs.values())
    capacity = GaugeMetricFamily(
        "lota_node_capacity",
        "What a node declares, and what its executions in hand take of it.",
        labels=["node", "resource", "kind"],
    )
    verdicts = CounterMetricFamily(
        "lota_node_verdicts", "Results of a node that were judged.", labels=["node", "result"]
    )
    bids = CounterMetricFamily(
        "lota_node_bids", "Jobs that a node answered offers of.", labels=["node", "result"]
    )
    failures = CounterMetricFamily(
        "lota_node_failures", "Executions that a node failed or was lost with.", labels=["node"]
    )
    for node in present[:NODES_MAX]:
        for resource, declared in _declared(node).items():
            capacity.add_metric([node.name, resource, "declared"], declared)
            capacity.add_metric(
                [node.name, resource, "used"], used.get(node.name, {}).get(resource, 0)
            )
        verdicts.add_metric([node.name, "agreed"], node.agreed)
        verdicts.add_metric([node.name, "differed"], node.differed)
        record = fared.get(node.name) or TrackRecord()
        bids.add_metric([node.name, "won"], record.won)
        bids.add_metric([node.name, "lost"], record.lost)
        bids.add_metric([node.name, "declined"], record.declined)
        failures.add_metric([node.name], record.failed)
    yield from (capacity, verdicts, bids, failures)


def _declared(node: Node) -> dict[str, float]:
    can = node.capabilities
    return {"cpu": can.cpu, "memory_bytes": can.memory_bytes, "executions": can.width}


def _used(jobs: Iterable[Job]) -> dict[str, dict[str, float]]:
    """Return what the executions that nodes have in hand ask for, by node."""
    used: dict[str, dict[str, float]] = {}
    for job in jobs:
        held = [(node, count) for node, count in job.load.items() if count > 0]
        if not held:
            continue
        cpu, memory_bytes = needs(job)
        for node, count in held:
            of = used.setdefault(node, {"cpu": 0.0, "memory_bytes": 0, "executions": 0})
            of["cpu"] += count * cpu / 1_000
            of["memory_bytes"] += count * memory_bytes
            of["executions"] += count
    return used


def of_projections(positions: Mapping[str, int], last: int) -> Iterator[Metric]:
    """Yield how far each projection has come, of a log that is `last` long."""
    lag = GaugeMetricFamily(
        "lota_projection_lag_events",
        "Events on the log that a projection has not taken in.",
        labels=["projection"],
    )
    position = GaugeMetricFamily(
        "lota_projection_position", "How far a projection has come.", labels=["projection"]
    )
    for name, at in sorted(positions.items()):
        lag.add_metric([name], max(0, last - at))
        position.add_metric([name], at)
    yield from (lag, position)
