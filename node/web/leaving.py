"""Work for somebody who may leave before it is done.

A server tells an application only when it listens that its client is gone, and what is being made
for nobody takes the time of those who still wait.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive

from node.web.access import SAFE_METHODS

T = TypeVar("T")

_receive: ContextVar[Receive | None] = ContextVar("receive", default=None)
"""Of the request that is being answered; None where its body is still to be read."""


def note(request: Request) -> None:
    """Remember, for the time of a request, how its client can be heard to leave."""
    _receive.set(request.receive if request.method in SAFE_METHODS else None)


async def unless_gone(work: Coroutine[Any, Any, T]) -> T:
    """Do a part of a request; it is cancelled when the client leaves, or this is.

    Raises ClientDisconnect then.
    """
    receive = _receive.get()
    if receive is None:
        return await work
    doing, leaving = asyncio.ensure_future(work), asyncio.ensure_future(left(receive))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        raise ClientDisconnect
    finally:
        doing.cancel()
        leaving.cancel()
        await asyncio.gather(doing, leaving, return_exceptions=True)


async def left(receive: Receive) -> None:
    """Wait until the client is gone: what is sent to it then raises no error."""
    while (await receive())["type"] != "http.disconnect":
        pass
