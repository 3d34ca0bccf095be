"""What the page of a job shows of a shard's output and of its files: as they are now, and within
the time that somebody who looks on can be kept waiting.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from events.errors import NodeSilent
from node.web.api.asking import JobPath, OutputQuery, ResultsQuery
from node.web.api.outputs import output
from node.web.api.results import list_job_results
from node.web.api.shared import Api

PATIENCE_S = 5.0
TEXT_BYTES_MAX = 256 * 1024
"""Of longer outputs the beginning is shown."""


async def read_output(api: Api, path: JobPath, query: OutputQuery) -> dict[str, Any]:
    """Return the beginning of what a command printed, and whether it is the `whole`."""
    data = bytearray()
    async with _patience(query.stream), output(api, path, query) as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) > TEXT_BYTES_MAX:
                break
    return beginning(bytes(data))


async def read_folder(api: Api, path: JobPath, query: ResultsQuery) -> dict[str, Any]:
    """Return a page of a folder of a result."""
    async with _patience("the list of files"):
        return await list_job_results(api, path, query)


def beginning(data: bytes, bytes_max: int = TEXT_BYTES_MAX) -> dict[str, Any]:
    """Return as much of an output as is shown, as text; what is none gets a mark for each byte."""
    whole = len(data) <= bytes_max
    return {"text": data[:bytes_max].decode(errors="replace"), "whole": whole}


@asynccontextmanager
async def _patience(what: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield
    except TimeoutError:
        raise NodeSilent(
            f"{what} has not come within {PATIENCE_S:g} s",
            hint="lota job logs and lota result wait longer for busy nodes",
        ) from None
