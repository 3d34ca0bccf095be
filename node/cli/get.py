"""`lota job get`: results onto this machine, each checked against its verdict.

The folders are named `0`, `1`, ... by shard, as in the job's root: when all are there,
`lota cid DIR` prints the job's root CID. A shard is fetched beside its place and renamed when its
CID is right, so what is there is right, and a repeat fetches only what is missing.
"""

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from node.cli.output import note
from node.cli.server import Connection, Server, connected

if TYPE_CHECKING:
    from events.items import Claim
    from node.cli.holders import Holder, OnBytes
    from projections.state import Job

AT_A_TIME = 4
"""Shards that are fetched at one time."""


async def get(
    job: str,
    /,
    *,
    shard: int | None = None,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    server: Server | None = None,
) -> None:
    """Fetch the results of a job's shards, and print the folder that they are in.

    They come from published copies that this machine can read, else from the nodes that ran them.
    Every shard is checked against the CID of its verdict. Shards that are there are not fetched
    again.

    Example: lota job get 01kb2m --output ./results

    Parameters
    ----------
    job
        The job's id, or the start of it.
    shard
        Only this shard; they count from 0.
    output
        The folder to make or to fill; by default one with the job's id, where you are.
    """
    from events.errors import LotaError
    from node.cli.fetch_progress import FetchProgress
    from node.cli.jobs import find_job, load_job, shard_indexes

    async with connected(server) as connection:
        found = (await load_job(connection.log, await find_job(connection.log, job))).job
        indexes = shard_indexes(found, shard)
        folder = output or Path(found.id)
        with FetchProgress(len(indexes)) as progress:
            fetch = _Fetch(connection, found, folder, progress.add_bytes)
            work = iter(indexes)
            workers = min(AT_A_TIME, len(indexes))
            await asyncio.gather(*(fetch.run(work, progress.add_shard) for _ in range(workers)))
    for problem in fetch.problems:
        note(f"lota: {problem}")
    if fetch.problems:
        raise LotaError(
            f"{len(fetch.problems)} of {len(indexes)} shard(s) could not be fetched",
            hint=f"those that could are in {folder}; repeat to fetch the rest",
        )
    print(folder)


class _Fetch:
    """One fetch of several shards; what goes wrong with one does not hold up the others."""

    def __init__(
        self, connection: Connection, job: "Job", folder: Path, on_bytes: "OnBytes"
    ) -> None:
        self.problems: list[str] = []
        self._client = connection.client
        self._job = job
        self._folder = folder
        self._on_bytes = on_bytes

    async def run(self, indexes: Iterator[int], on_shard: "OnBytes") -> None:
        from events.errors import LotaError

        for index in indexes:
            try:
                await self._shard(index)
            except LotaError as error:
                self.problems.append(f"shard {index}: {error}")
            on_shard(1)

    async def _shard(self, index: int) -> None:
        from events.errors import LotaError
        from node.cli.holders import holders

        verdict = self._job.shards[index].verdict
        claim = verdict.claim if verdict is not None else None
        if claim is None:
            state = self._job.shards[index].state
            raise LotaError(f"it has no accepted result, it is {state}")
        target = self._folder / str(index)
        if await asyncio.to_thread(_is_there, target, claim):
            return
        said = []
        for holder in holders(self._client, self._job, index):
            try:
                await self._from(holder, target, claim)
            except LotaError as error:
                said.append(f"{holder.name}: {error.what}")
            else:
                return
        raise LotaError(f"nobody gave it ({'; '.join(said) or 'no one holds it'})")

    async def _from(self, holder: "Holder", target: Path, claim: "Claim") -> None:
        from events.errors import LotaError

        part = target.with_name(f"{target.name}.part")
        await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)
        try:
            await asyncio.to_thread(part.parent.mkdir, parents=True, exist_ok=True)
            await holder.fetch(part, claim.dag_size_bytes, self._on_bytes)
            await asyncio.to_thread(_keep, part, target, claim)
        except OSError as error:
            raise LotaError(f"{part} cannot be written: {error.strerror}") from error
        finally:
            await asyncio.to_thread(shutil.rmtree, part, ignore_errors=True)


def _is_there(target: Path, claim: "Claim") -> bool:
    """Whether the shard was fetched before. Raises LotaError when it is something else."""
    from events.errors import LotaError
    from publishers.unixfs import tree_cid

    if not target.exists():
        return False
    if tree_cid(target).cid != claim.cid:
        raise LotaError(f"{target} is there and is something else", hint="move it away")
    return True


def _keep(part: Path, target: Path, claim: "Claim") -> None:
    from events.errors import ContentError
    from publishers.unixfs import tree_cid

    cid = tree_cid(part).cid
    if cid != claim.cid:
        raise ContentError(f"it has the CID {cid}, the verdict says {claim.cid}")
    part.rename(target)
