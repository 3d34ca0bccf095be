"""The log's numbers as metrics: counts, histograms with fixed bounds, and nodes."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.core import Metric

from events.items import Capabilities
from node.web.metric_families import (
    NODES_MAX,
    STAGE_BOUNDS_S,
    counted,
    cumulated,
    of_nodes,
    of_projections,
    standing,
)
from projections.network import Network
from projections.nodes import Node
from projections.statistics import histogram
from projections.statistics.bucket import Bucket
from projections.track_records import TrackRecord
from tests.projections.conversation import Conversation


def values(metrics: Iterable[Metric]) -> dict[str, float]:
    """Return the value of each sample, by its name and its labels' values."""
    return {
        "/".join((sample.name, *sample.labels.values())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def test_counts_are_counters() -> None:
    """What was counted has the label that tells it apart, and what was not is 0."""
    found = values(
        counted(
            Bucket(
                counts={
                    "events.job.submitted": 7,
                    "failures.execution.spawn": 2,
                    "failures.job.user.error": 1,
                    "jobs.completed": 5,
                    "bytes": 4_000,
                }
            )
        )
    )
    assert found["lota_events_total/job.submitted"] == 7
    assert found["lota_failures_total/execution/spawn"] == 2
    assert found["lota_failures_total/job/user.error"] == 1
    assert found["lota_jobs_total/completed"] == 5
    assert found["lota_jobs_total/failed"] == 0
    assert found["lota_log_bytes_total"] == 4_000


def test_stages_are_histograms_in_seconds() -> None:
    """Milliseconds that were counted in a stage are in the buckets of its seconds."""
    bins = histogram.binned([5, 5, 2_000, 900_000])
    found = values(counted(Bucket(histograms={"latency.run": bins})))
    assert found["lota_stage_seconds_bucket/run/0.01"] == 2
    assert found["lota_stage_seconds_bucket/run/1.0"] == 2
    assert found["lota_stage_seconds_bucket/run/2.5"] == 3
    assert found["lota_stage_seconds_bucket/run/600.0"] == 3
    assert found["lota_stage_seconds_bucket/run/+Inf"] == 4
    assert found["lota_stage_seconds_count/run"] == 4
    assert abs(found["lota_stage_seconds_sum/run"] - 902.01) <= 902.01 * histogram.ERROR
    assert found["lota_stage_seconds_count/total"] == 0


@given(st.lists(st.integers(0, 10**7)))
def test_buckets_count_what_is_within_them(milliseconds: list[int]) -> None:
    """A bucket has all values below its bound, give or take those as near as the bins are wide."""
    bins = histogram.binned(milliseconds)
    buckets, total = cumulated(bins, STAGE_BOUNDS_S, per_unit=1_000)
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == len(milliseconds)
    for bound, count in zip(STAGE_BOUNDS_S, counts, strict=False):
        near = bound * 1_000 * histogram.ERROR
        least = sum(ms <= bound * 1_000 - near for ms in milliseconds)
        most = sum(ms <= bound * 1_000 + near for ms in milliseconds)
        assert least <= count <= most
    exact = sum(milliseconds) / 1_000
    assert abs(total - exact) <= exact * histogram.ERROR


def network(count: int) -> Network:
    """Return a network of so many nodes, of which the second was lost."""
    found = Network()
    for number in range(count):
        name = f"n{number:05}"
        found.nodes.members[name] = Node(
            name=name,
            incarnation=name,
            capabilities=Capabilities(roles=("compute",), cpu=8, memory_bytes=64, width=4),
            joined_at="",
            position=1,
            state="lost" if number == 1 else "live",
            agreed=3,
        )
    return found


def test_nodes_that_are_present_have_metrics() -> None:
    """A node's are what it declares and has come to; one that is lost has none."""
    found = values(of_nodes(network(3), {"n00000": TrackRecord(won=9, failed=1)}))
    assert found["lota_node_capacity/n00000/cpu/declared"] == 8
    assert found["lota_node_capacity/n00000/executions/used"] == 0
    assert found["lota_node_verdicts_total/n00000/agreed"] == 3
    assert found["lota_node_bids_total/n00000/won"] == 9
    assert found["lota_node_failures_total/n00000"] == 1
    assert found["lota_node_failures_total/n00002"] == 0
    assert not any("n00001" in name for name in found)


def test_metrics_of_nodes_are_bounded() -> None:
    """In a network of more nodes than that, a thousand have metrics of their own."""
    names = {name.split("/")[1] for name in values(of_nodes(network(NODES_MAX + 5), {}))}
    assert len(names) == NODES_MAX


def test_what_executions_take_is_used() -> None:
    """An execution in hand takes of its node what its job asks for, until it ends."""
    talk = Conversation()
    talk.submit()
    talk.plan()
    talk.award((0, 0, "n1"))
    found = values(of_nodes(talk.network, {}))
    cpu = float(talk.job.spec.resources.cpu)
    assert cpu > 0
    assert found["lota_node_capacity/n1/cpu/used"] == cpu
    assert found["lota_node_capacity/n1/executions/used"] == 1
    assert found["lota_node_capacity/n1/executions/declared"] == 4
    assert found["lota_node_capacity/n0/executions/used"] == 0
    talk.propose("n1", 0, plain=True)
    talk.judge(0)
    assert values(of_nodes(talk.network, {}))["lota_node_capacity/n1/executions/used"] == 0


def test_how_things_stand() -> None:
    """Gauges tell the open jobs, the queue and the nodes by state; none is missing when it is 0."""
    nodes = network(4)
    nodes.nodes.members["n00002"].quarantined_until_ms = 2_000
    found = values(standing(nodes, {"queue": 3, "running": 1}, 1_000))
    assert found == {
        "lota_open_jobs/submitted": 0,
        "lota_open_jobs/running": 0,
        "lota_queue_shards": 3,
        "lota_running_executions": 1,
        "lota_nodes/live": 3,
        "lota_nodes/draining": 0,
        "lota_nodes/left": 0,
        "lota_nodes/lost": 1,
        "lota_nodes_quarantined": 1,
    }
    assert values(standing(nodes, {}, 2_000))["lota_nodes_quarantined"] == 0


def test_projections_are_behind_the_log() -> None:
    """A projection's lag is what the log has and it has not, and never less than nothing."""
    found = values(of_projections({"jobs": 90, "fold": 101}, 100))
    assert found["lota_projection_lag_events/jobs"] == 10
    assert found["lota_projection_lag_events/fold"] == 0
    assert found["lota_projection_position/jobs"] == 90
