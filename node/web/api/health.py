"""Whether this process lives, and whether it has read the log and can answer."""

from typing import Any

from node.web.api.shared import Api
from node.web.problems import Refused


async def healthz(_: Api) -> dict[str, Any]:
    """Say that this process answers."""
    return {"status": "ok"}


async def readyz(api: Api) -> dict[str, Any]:
    """Say whether the log has been read and can be asked, so that answers are about now."""
    if api.observer.failed.done():
        raise Refused(503, "reading the log has failed", hint="the log of this server says why")
    if not api.observer.ready.is_set():
        raise Refused(503, "the log is being read", hint="ask again in a while")
    if api.observer.away:
        raise Refused(
            503,
            f"the log cannot be asked: {api.observer.away}",
            hint="is the NATS server up? What was read of it is shown meanwhile",
        )
    return {"status": "ok"}
