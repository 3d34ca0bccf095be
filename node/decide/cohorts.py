"""Shards that wait for a place, grouped by all that placement looks at.

A job of 100,000 shards waits in a few groups that were offered together. What holds for one shard
of a group holds for all, so it is worked out once.
"""

from typing import NamedTuple

from projections.state import BUSY, COMMITTED, Job, Shard

History = tuple[tuple[str, str], ...]


class Cohort(NamedTuple):
    """Shards with the same offers and the same past; `shard` is any one of them."""

    shard: Shard
    indexes: list[int]

    @property
    def held(self) -> int:
        """How many executions are under way or have committed."""
        return sum(1 for e in self.shard.executions if e.state in BUSY or e.state in COMMITTED)


def cohorts(job: Job) -> list[Cohort]:
    """Return the shards of `job.placing` in cohorts, each in order, the first shard's first."""
    found: dict[tuple[tuple[int, ...], History], Cohort] = {}
    shards = job.shards
    for index in sorted(job.placing):
        shard = shards[index]
        past: History = ()
        if shard.executions:
            past = tuple((e.node, e.state) for e in shard.executions)
        key = (tuple(shard.offers), past)
        cohort = found.get(key)
        if cohort is None:
            found[key] = Cohort(shard, [index])
        else:
            cohort.indexes.append(index)
    return list(found.values())
