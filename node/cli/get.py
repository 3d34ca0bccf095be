"""`lota result get`, also `lota job get`: results onto this machine, each byte checked."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from events.errors import NotFound, WrongUsage
from node.cli.output import note
from node.cli.server import Server, connected

if TYPE_CHECKING:
    import re

    from node.results.download import Download
    from projections.state import Job


async def get(
    job: str,
    /,
    *,
    shard: Annotated[list[int] | None, Parameter(negative=())] = None,
    glob: str = "",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    merge: Literal["append", "layout"] | None = None,
    server: Server | None = None,
) -> None:
    """Fetch the results of a job's shards, and print the folder that they are in.

    They come from published copies, nearest first, else from the nodes that ran them. Every chunk
    is checked against the CID of its verdict, and a copy with wrong bytes is passed over. A file
    gets its name when it is whole; repeat the command after an interruption, and only what is
    missing is fetched.

    The folder has one folder for each shard, named by its number: `lota cid DIR` then prints the
    job's root CID. With `--merge` there is one tree for all:

    `append`: files of the same path are appended, in the order of the shards: `stdout` is the
    stdout of all.

    `layout`: a path that one shard has keeps its name. A file whose path other shards have too gets
    its shard in its name: `out.txt` of shard 3 becomes `out.shard-3.txt`, and `stdout` becomes
    `stdout.shard-3`. So does every file or folder whose name looks like that already. Folders of
    the same path become one.

    Example: lota job get 01kb2m --output ./results

    Example: lota result get 01kb2m --glob 'outputs/**/*.csv' --merge layout

    Parameters
    ----------
    job
        The job's id, or the start of it.
    shard
        Only this shard; they count from 0. May be given several times.
    glob
        Only files whose path in the result matches: `*` stays within a folder, `**` does not.
    output
        The folder to make or to fill; by default one with the job's id, where you are.
    merge
        Make one tree of all shards.
    """
    from node.cli.fetch_progress import FetchProgress
    from node.cli.opened_results import opened_results
    from node.results.download import Download, Progress

    _require_whole(job)
    matcher = _matcher(glob)
    async with connected(server) as connection, opened_results(connection, job) as results:
        found = results.job
        indexes = _indexes(found, shard)
        folder = output or Path(found.id)
        with FetchProgress(len(indexes), None if glob else _size_bytes(found, indexes)) as bar:
            progress = Progress(bar.add_bytes, bar.add_files, bar.add_shards)
            download = Download(results, folder, matcher, progress)
            try:
                await download.run(indexes, merge)
            except asyncio.CancelledError:
                note("lota: interrupted; repeat it to go on where it stopped")
                raise
    _tell(download, folder)
    if glob and not download.matched:
        raise NotFound(
            f"no file of {len(indexes)} shard(s) matches {glob!r}",
            hint=f"paths start at a result's top; '**/{glob}' looks in all folders",
        )
    print(folder)


def _require_whole(job: str) -> None:
    """Raise WrongUsage for a part of a job, as `ls` and `cat` take it."""
    if "/" in job:
        raise WrongUsage(
            f"{job!r} is a part of a job's results",
            hint="name the job alone, and what of it by --shard 0 and --glob 'outputs/**'",
        )


def _tell(download: "Download", folder: Path) -> None:
    from events.errors import LotaError

    for problem in download.problems:
        note(f"lota: {problem}")
    more = download.failures - len(download.problems)
    if more:
        note(f"lota: and {more:,} more")
    if download.failures:
        raise LotaError(
            f"{download.failures:,} file(s) or shard(s) could not be fetched",
            hint=f"what could is in {folder}; repeat to fetch the rest",
        )


def _matcher(glob: str) -> "re.Pattern[str] | None":
    from events.errors import InvalidSpec, WrongUsage
    from events.sharding import pattern

    if not glob:
        return None
    try:
        return pattern(glob)
    except InvalidSpec as error:
        raise WrongUsage(f"--glob {glob!r} matches nothing", hint=error.hint) from error


def _indexes(job: "Job", shards: list[int] | None) -> list[int]:
    """Return the shards that are meant, in their order."""
    from node.jobs import shard_indexes

    if not shards:
        return shard_indexes(job, None)
    return sorted({index for shard in shards for index in shard_indexes(job, shard)})


def _size_bytes(job: "Job", indexes: list[int]) -> int:
    """Return about how much there is to fetch."""
    verdicts = [job.shards[index].verdict for index in indexes]
    return sum(v.claim.dag_size_bytes for v in verdicts if v is not None and v.claim is not None)
