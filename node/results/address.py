"""How a result, or a part of one, is named: `JOB`, `JOB/SHARD` or `JOB/SHARD/PATH`."""

import re
from typing import NamedTuple, Self

from events.errors import WrongUsage

_SHARD = re.compile(r"0|[1-9][0-9]{0,8}")
_HINT = "write JOB, JOB/SHARD or JOB/SHARD/PATH, as in 01kb2m/0/outputs/a.txt; shards count from 0"


class ResultAddress(NamedTuple):
    """What an address names: a job, one shard of it, or what stands at a path of the shard.

    `path` is relative to the result, without slashes at its ends; "" is the whole result.
    """

    job: str
    shard: int | None = None
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address; slashes at its end do no harm. Raises WrongUsage."""
        job, _, below = text.partition("/")
        shard, _, path = below.partition("/")
        path = path.rstrip("/")
        if not job or (below and not _SHARD.fullmatch(shard)):
            raise WrongUsage(f"{text!r} names no result", hint=_HINT)
        if path and ("\0" in path or any(part in ("", ".", "..") for part in path.split("/"))):
            raise WrongUsage(f"{path!r} is no path in a result", hint=_HINT)
        return cls(job, int(shard) if shard else None, path)
