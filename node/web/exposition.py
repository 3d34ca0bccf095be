"""Metrics as an answer, in the format that whoever scrapes them asks for."""

import asyncio
from typing import NamedTuple

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

PATH = "/metrics"


async def exposition(request: Request, families: list[Metric]) -> Response:
    """Return the answer to a scrape."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    # Of a thousand nodes the text takes longer than others should wait for their turn.
    text = await asyncio.to_thread(encode, _Collected(families))
    return Response(text, media_type=content_type)


class _Collected(NamedTuple):
    families: list[Metric]

    def collect(self) -> list[Metric]:
        return self.families
