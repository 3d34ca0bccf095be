"""What the page of a job shows of a shard's output and of its files: as they are now, and within
the time that somebody who looks on can be kept waiting.
"""

import asyncio
from codecs import utf_8_decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from events.errors import NodeSilent
from node.web.api.asking import JobPath, OutputQuery, ResultsQuery
from node.web.api.outputs import output
from node.web.api.results import list_job_results
from node.web.api.shared import Api

FILES_WITHIN_S = 5.0
OUTPUT_WITHIN_S = 2.0
"""A node has it at hand, or is silent; the page waits, and asks again while the job runs."""

TEXT_BYTES_MAX = 256 * 1024
"""Of longer outputs the beginning is shown."""


async def read_output(api: Api, path: JobPath, query: OutputQuery) -> dict[str, Any]:
    """Return the beginning of what a command printed, and whether it is the `whole`."""
    data = bytearray()
    async with patience(query.stream, OUTPUT_WITHIN_S), output(api, path, query) as chunks:
        async for chunk in chunks:
            data += chunk
            if len(data) > TEXT_BYTES_MAX:
                break
    return beginning(bytes(data))


async def read_folder(api: Api, path: JobPath, query: ResultsQuery) -> dict[str, Any]:
    """Return a page of a folder of a result."""
    async with patience("the list of files", FILES_WITHIN_S):
        return await list_job_results(api, path, query)


def beginning(data: bytes, bytes_max: int = TEXT_BYTES_MAX) -> dict[str, Any]:
    """Return as much of an output as is shown, as text; bytes that are none get a mark.

    A character that the bound cuts through is left out.
    """
    whole = len(data) <= bytes_max
    text, _ = utf_8_decode(data[:bytes_max], "replace", whole)
    return {"text": text, "whole": whole}


@asynccontextmanager
async def patience(what: str, within_s: float) -> AsyncIterator[None]:
    """Wait no longer than that for what is read inside. Raises NodeSilent."""
    try:
        async with asyncio.timeout(within_s):
            yield
    except TimeoutError:
        raise NodeSilent(
            f"{what} has not come within {within_s:g} s",
            hint="lota job logs and lota result wait longer for busy nodes",
        ) from None
