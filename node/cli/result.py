"""`lota result ls` and `lota result cat`: what a job came to, without fetching more than asked."""

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from events.errors import LotaError, WrongUsage
from node.cli.output import note, write_bytes
from node.cli.server import Server, connected

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from node.results.address import ResultAddress
    from node.results.job_results import JobResults

Row = dict[str, Any]
Format = Literal["text", "json", "jsonl"]


async def ls(
    address: str,
    /,
    *,
    long: Annotated[bool, Parameter(name=["--long", "-l"], negative=())] = False,
    recursive: Annotated[bool, Parameter(name=["--recursive", "-r"], negative=())] = False,
    output: Annotated[Format, Parameter(name=["--output", "-o"])] = "text",
    server: Server | None = None,
) -> None:
    r"""List the shards of a job that have a result, or what is in one.

    Only the blocks of the folders that are listed are fetched, from whichever copy answers, and
    each is checked. Names are printed so that no terminal acts on them: `\x1b` for an escape
    character, `\xff` for a byte that is no text.

    Example: lota result ls 01kb2m/0/outputs -l

    Parameters
    ----------
    address
        JOB, JOB/SHARD or JOB/SHARD/PATH; of the job's id the start is enough.
    long
        Sizes in bytes too: of a folder, of all that is in it, packed.
    recursive
        Also what is in the folders, with its path.
    output
        `json` is one array, `jsonl` one object a line. There `path` is text, with
        what is not UTF-8 as lone surrogates, and `encoded` the exact bytes, percent-encoded.
    """
    from node.cli.opened_results import opened_results
    from node.results.address import ResultAddress

    named = ResultAddress.parse(address)
    listing = _Listing(output, long=long)
    problems: list[str] = []
    async with (
        connected(server) as connection,
        opened_results(connection, named.job) as results,
        aclosing(_rows(results, named, problems, recursive=recursive)) as rows,
    ):
        async for row in rows:
            listing.show(row)
        left_out = "" if named.shard is not None else _left_out(results)
    listing.end()
    if left_out:
        note(f"lota: {left_out}")
    for problem in problems:
        note(f"lota: {problem}")
    if problems:
        raise LotaError(f"{len(problems)} shard(s) could not be listed", hint="try again later")


async def cat(
    address: str,
    /,
    *,
    offset: int = 0,
    length: int | None = None,
    server: Server | None = None,
) -> None:
    """Write one file of a result, or a part of it, to stdout.

    Only the chunks that hold the part are fetched, from whichever copy answers. Each is checked
    before it is written: what comes out is what was accepted, or an error.

    Example: lota result cat 01kb2m/0/outputs/big.bin --offset 1000000 --length 80

    Parameters
    ----------
    address
        JOB/SHARD/PATH; of the job's id the start is enough.
    offset
        The first byte that is wanted; they count from 0.
    length
        At most so many bytes; by default all that follow.
    """
    from node.cli.opened_results import opened_results
    from node.jobs import shard_indexes
    from node.results.address import ResultAddress
    from publishers.reading import fetch

    named = ResultAddress.parse(address)
    if named.shard is None or not named.path:
        raise WrongUsage(
            f"{address!r} names no file", hint="write JOB/SHARD/PATH, as in 01kb2m/0/stdout"
        )
    if offset < 0 or (length is not None and length < 0):
        raise WrongUsage("--offset and --length count from 0", hint="leave them out for all")
    async with connected(server) as connection, opened_results(connection, named.job) as results:
        shard_indexes(results.job, named.shard)
        shard = await results.shard(named.shard)
        part = fetch(shard.copy, shard.claim.cid, named.path, offset=offset, size_bytes=length)
        try:
            async with aclosing(part) as chunks:
                async for chunk in chunks:
                    await asyncio.to_thread(write_bytes, chunk)
        finally:
            await shard.close()


async def _rows(
    results: "JobResults", named: "ResultAddress", problems: list[str], *, recursive: bool
) -> "AsyncGenerator[Row, None]":
    """Give a row for each entry; paths are relative to what was named.

    Of a whole job, a shard that cannot be read is a problem and holds up no other.
    """
    from node.jobs import shard_indexes

    if named.shard is not None:
        shard_indexes(results.job, named.shard)
        below = _below(results, named.shard, named.path, "", recursive=recursive)
        async with aclosing(below) as rows:
            async for row in rows:
                yield row
        return
    for index in shard_indexes(results.job, None):
        verdict = results.job.shards[index].verdict
        if verdict is None or verdict.claim is None:
            continue
        yield _row(str(index), "folder", verdict.claim.dag_size_bytes, verdict.claim.cid)
        if recursive:
            try:
                async with aclosing(
                    _below(results, index, "", f"{index}/", recursive=True)
                ) as rows:
                    async for row in rows:
                        yield row
            except LotaError as error:
                problems.append(f"shard {index}: {error}")


def _left_out(results: "JobResults") -> str:
    """Say how many shards have no result, and why that may be; "" when all have."""
    job = results.job
    lacking = sum(1 for shard in job.shards if shard.verdict is None or shard.verdict.claim is None)
    if not lacking:
        return ""
    return f"{lacking:,} of {len(job.shards):,} shard(s) have no result: the job is {job.state}"


async def _below(
    results: "JobResults", index: int, path: str, prefix: str, *, recursive: bool
) -> "AsyncGenerator[Row, None]":
    from publishers.reading import entries, stat

    shard = await results.shard(index)
    try:
        if path:
            top = await stat(shard.copy, shard.claim.cid, path)
            if top.kind == "file":
                yield _row(path.rpartition("/")[2], top.kind, top.size_bytes, top.cid)
                return
        start = len(path) + 1 if path else 0
        walk = entries(shard.copy, shard.claim.cid, path, recursive=recursive)
        async with aclosing(walk) as found:
            async for entry in found:
                yield _row(f"{prefix}{entry.path[start:]}", entry.kind, entry.size_bytes, entry.cid)
    finally:
        await shard.close()


def _row(path: str, kind: str, size_bytes: int, cid: str) -> Row:
    from node.cli.file_names import percent_encoded

    return {
        "path": path,
        "kind": kind,
        "size_bytes": size_bytes,
        "cid": cid,
        "encoded": percent_encoded(path),
    }


class _Listing:
    """Prints rows as they come, so that a long list needs no memory."""

    def __init__(self, output: Format, *, long: bool) -> None:
        self._output = output
        self._long = long
        self._rows = 0

    def show(self, row: Row) -> None:
        from node.cli.file_names import printable

        if self._output == "text":
            name = printable(row["path"]) + ("/" if row["kind"] == "folder" else "")
            print(f"{row['size_bytes']:>16,}  {name}" if self._long else name)
        elif self._output == "jsonl":
            print(json.dumps(row))
        else:
            print(f"{',' if self._rows else '['}\n  {json.dumps(row)}", end="")
        self._rows += 1

    def end(self) -> None:
        if self._output == "json":
            print("\n]" if self._rows else "[]")
