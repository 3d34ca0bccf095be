"""What a job came to, as its fold tells: the results of its shards, and the root over them.

A requester writes both down when the job completes, and an audit works them out again.
"""

from events.items import ShardResult
from events.unixfs import Root, job_root
from projections.state import Job


def root_of(job: Job) -> tuple[Root, list[tuple[bytes, bytes]]]:
    """Return the root of a job whose shards are all completed, and its blocks."""
    blocks: list[tuple[bytes, bytes]] = []
    claims = [shard.verdict.claim if shard.verdict is not None else None for shard in job.shards]
    root = job_root(
        ((claim.cid, claim.dag_size_bytes) for claim in claims if claim is not None),
        lambda cid, block: blocks.append((cid, bytes(block))),
    )
    return root, blocks


def results_of(job: Job) -> tuple[ShardResult, ...]:
    """Return the manifest's lines of a job whose shards are all completed."""
    return tuple(_result(job, index) for index in range(len(job.shards)))


def _result(job: Job, index: int) -> ShardResult:
    shard = job.shards[index]
    claim = shard.verdict.claim if shard.verdict is not None else None
    if claim is None:
        raise AssertionError(f"shard {index} of {job.id} is completed without a claim")
    uris = [copy.uri for _, slot in sorted(shard.slots.items()) for copy in slot.copies]
    return ShardResult(index, claim.cid, claim.dag_size_bytes, tuple(uris))
