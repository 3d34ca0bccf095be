"""What jobs came to: folders listed as they are asked for, and files, checked block by block.

A result is what strangers computed, with names that strangers chose. A name is bytes: it is shown
as text, and `encoded` is how it stands in a path.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from events.errors import NotFound, WrongUsage
from node.jobs import shard_indexes
from node.results.address import ResultAddress
from node.results.job_results import JobResults
from node.web.api.asking import FilePath, JobPath, ResultsQuery
from node.web.api.bytes_answer import HARMLESS, TEXT, BytesAnswer, begun
from node.web.api.shared import Api
from node.web.problems import Refused
from node.web.ranges import Unsatisfiable, is_known, range_asked, with_range
from publishers.reading import Entry, entries, fetch, stat

PRINTED = {"stdout", "stderr", "exit_code"}
"""What is shown in a browser, as text; all else is saved as a file."""

HEAD_WORDS = "/api/v1/jobs/ID/results/SHARD/".count("/")
"""What stands before the path of a file."""

Row = dict[str, Any]


async def list_job_results(api: Api, path: JobPath, query: ResultsQuery) -> Row:
    """List a folder of a shard's result, or the shards that have one.

    Only the blocks of that folder are read, from whichever copy answers, and each is checked.
    """
    gateway = api.network
    told = await api.observer.job(path.id, await api.observer.at(None))
    if query.shard is msgspec.UNSET:
        rows = _shards(told, query)
    else:
        shard_indexes(told.job, query.shard)
        async with gateway.results(told.job, told.nodes) as results:
            rows = await _folder(results, query.shard, query)
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    return {"entries": rows, "next": rows[-1]["encoded"] if more else None}


async def get_job_result(api: Api, path: FilePath, request: Request) -> Response:
    """Give a file of a shard's result, or one range of it.

    Each block is checked against the accepted content address before it is sent: what comes is
    right, or breaks off. Names in the path are percent-encoded one by one. A single range is
    answered with 206, a known `ETag` with 304. No file is ever shown as a page.
    """
    gateway = api.network
    name = _path_of(request)
    told = await api.observer.job(path.id, await api.observer.at(None))
    shard_indexes(told.job, path.shard)
    if not name:
        raise _is_folder(told.job.id, path.shard, name)
    async with AsyncExitStack() as stack:
        results = await stack.enter_async_context(gateway.results(told.job, told.nodes))
        shard = await results.shard(path.shard)
        stack.push_async_callback(shard.close)
        entry = await stat(shard.copy, shard.claim.cid, name)
        if entry.kind == "folder":
            raise _is_folder(told.job.id, path.shard, name)
        etag = f'"{entry.cid}"'
        headers = {**_headers(name), "etag": etag}
        if is_known(request, etag):
            return Response(status_code=304, headers=headers)
        try:
            span = range_asked(request, entry.size_bytes, etag)
        except Unsatisfiable:
            raise Refused(
                416,
                f"the file has {entry.size_bytes:,} bytes",
                hint="ask for a range that begins in it",
                headers={"content-range": f"bytes */{entry.size_bytes}"},
            ) from None
        start, stop = span or (0, entry.size_bytes)
        if span is not None:
            headers = with_range(headers, span, entry.size_bytes)
        headers["content-length"] = str(stop - start)
        part = fetch(shard.copy, shard.claim.cid, name, offset=start, size_bytes=stop - start)
        await stack.enter_async_context(aclosing(part))
        first = b"" if request.method == "HEAD" else await anext(part, b"")
        status = 200 if span is None else 206
        return BytesAnswer(begun(first, part), status, headers, stack.pop_all())


def _shards(told: Any, query: ResultsQuery) -> list[Row]:
    if query.path:
        raise WrongUsage("a path is of a shard", hint="give shard= too")
    after = int(query.cursor) if query.cursor.isdecimal() and query.cursor.isascii() else -1
    rows = []
    for index, shard in enumerate(told.job.shards):
        claim = shard.verdict.claim if shard.verdict is not None else None
        if index > after and claim is not None:
            rows.append(result_row(str(index), "folder", claim.dag_size_bytes, claim.cid))
            if len(rows) > query.limit:
                break
    return rows


async def _folder(results: JobResults, index: int, query: ResultsQuery) -> list[Row]:
    path = _checked(query.path.rstrip("/"))
    after = unquote_to_bytes(query.cursor)
    shard = await results.shard(index)
    rows: list[Row] = []
    try:
        found: AsyncGenerator[Entry, None] = entries(shard.copy, shard.claim.cid, path)
        async with aclosing(found):
            async for entry in found:
                name = entry.path.rpartition("/")[2]
                if os.fsencode(name) > after:
                    rows.append(result_row(name, entry.kind, entry.size_bytes, entry.cid))
                if len(rows) > query.limit:
                    break
    finally:
        await shard.close()
    return rows


def result_row(name: str, kind: str, size_bytes: int, cid: str) -> Row:
    """Return a file or folder as it is listed."""
    return {
        "name": _shown(name),
        "encoded": quote_from_bytes(os.fsencode(name), safe=""),
        "kind": kind,
        "size_bytes": size_bytes,
        "cid": cid,
    }


def _is_folder(job: str, shard: int, path: str) -> NotFound:
    query = f"shard={shard}" + (f"&path={quote_from_bytes(os.fsencode(path))}" if path else "")
    what = f"{_shown(path)} is a folder" if path else f"the result of shard {shard} is a folder"
    return NotFound(what, hint=f"GET /api/v1/jobs/{job}/results?{query} lists it")


def _shown(name: str) -> str:
    """Return a name as text, with a mark for what is none."""
    return os.fsencode(name).decode("utf-8", "replace")


def _path_of(request: Request) -> str:
    """Return the path in the result, from the bytes that were sent: a decoded one is not exact."""
    words = request.scope["raw_path"].split(b"/")
    head, names = words[:HEAD_WORDS], [os.fsdecode(unquote_to_bytes(w)) for w in words[HEAD_WORDS:]]
    if any(b"/" in unquote_to_bytes(word) for word in head):
        raise NotFound("a slash before the path is encoded", hint="encode the names in it alone")
    if any("/" in name for name in names):
        raise NotFound("a name in a result holds no slash", hint="percent-encode each name alone")
    return _checked("/".join(names))


def _checked(path: str) -> str:
    """Return a path that stays below the result. Raises NotFound for any other."""
    try:
        return ResultAddress.parse(f"job/0/{path}").path
    except WrongUsage as error:
        raise NotFound(_shown(error.what), hint=error.hint) from None


def _headers(path: str) -> dict[str, str]:
    headers = {**HARMLESS, "accept-ranges": "bytes", "cache-control": "private, no-cache"}
    if path in PRINTED:
        return {**headers, "content-type": TEXT}
    name = quote_from_bytes(os.fsencode(path.rpartition("/")[2]), safe="")
    return {
        **headers,
        "content-type": "application/octet-stream",
        "content-disposition": f"attachment; filename*=UTF-8''{name}",
    }
