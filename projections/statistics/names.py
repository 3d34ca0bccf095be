"""The names of what is counted, as they stand in buckets, in series and in `lota stats`."""

from projections.lanes import STAGES

ENDS = ("completed", "failed", "cancelled")
JOBS = {state: f"jobs.{state}" for state in ("submitted", *ENDS)}
SHARDS = {state: f"shards.{state}" for state in ("planned", *ENDS)}
BIDS = {item: f"bids.{item}" for item in ("placed", "declined")}
EXECUTIONS = {
    item: f"executions.{item}"
    for item in (
        "awarded",
        "started",
        "proposed",
        "accepted",
        "rejected",
        "failed",
        "lost",
        "cancelled",
    )
}
VERDICTS = {result: f"verdicts.{result}" for result in ("accepted", "failed", "unverified")}
OFFERS = "offers"
PUBLISHED = "publications.published"
PUBLISH_FAILED = "publications.failed"
PUBLISHED_BYTES = "publications.bytes"
BYTES = "bytes"
EVENTS = "events"
EVENT = "events."
FAILURE = "failures."
SKIPPED = {why: why for why in ("late", "illegal", "newer", "foreign")}

COUNTS = (
    *JOBS.values(),
    *SHARDS.values(),
    OFFERS,
    *BIDS.values(),
    *EXECUTIONS.values(),
    *VERDICTS.values(),
    PUBLISHED,
    PUBLISH_FAILED,
    PUBLISHED_BYTES,
    BYTES,
    *SKIPPED.values(),
)
"""Those that are always there; the types of events and the classes of failures come as they are."""

LATENCY = {stage: f"latency.{stage}" for stage in STAGES}
TOTAL = "latency.total"
MESSAGES = "messages_per_job"
JOB_BYTES = "bytes_per_job"
HISTOGRAMS = (*LATENCY.values(), TOTAL, MESSAGES, JOB_BYTES)

QUEUE = "queue"
RUNNING = "running"
OPEN_JOBS = "open_jobs"
NODES = "nodes"
DECLARED_CPU = "declared.cpu"
DECLARED_MEMORY = "declared.memory_bytes"
DECLARED_WIDTH = "declared.width"
USED_CPU = "used.cpu"
USED_MEMORY = "used.memory_bytes"
GAUGES = (
    QUEUE,
    RUNNING,
    OPEN_JOBS,
    NODES,
    DECLARED_CPU,
    DECLARED_MEMORY,
    DECLARED_WIDTH,
    USED_CPU,
    USED_MEMORY,
)
PEAKS = {name: f"{name}.max" for name in (QUEUE, RUNNING, OPEN_JOBS, USED_CPU, USED_MEMORY)}
"""Gauges of which the most in a bucket is kept as well: what came and went in between."""
IN_THOUSANDTHS = frozenset({DECLARED_CPU, USED_CPU})
"""Gauges that buckets hold in thousandths: sums of fractions would not come back to 0."""
