"""What stands before every page and route: who asks is found out, and what goes out is marked.

Answers are framed, sniffed and embedded by nobody, and run nothing that is not ours.
"""

from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from node.web.access import Access, grant, unauthorized
from node.web.leaving import note
from node.web.problems import Refused, refused

PUBLIC = {"/login", "/logout", "/healthz", "/readyz"}
"""What a stranger may ask for: it tells nothing of the network."""

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Without any referrer a browser would not say either that a form comes from our own page.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def guarded(app: ASGIApp, access: Access) -> ASGIApp:
    """Return the application as it is served."""

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def marked(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        request = Request(scope, receive)
        note(request)
        turned_away = _turned_away(request, access)
        await (turned_away or app)(scope, receive, marked)

    return guard


def _turned_away(request: Request, access: Access) -> Response | None:
    """Return the answer to who may not ask; note of others what they may do."""
    path = request.scope["path"]
    try:
        role = access.admit(request)
        if role is None and path not in PUBLIC:
            if _is_page(request):
                return RedirectResponse("/login", 303)
            raise unauthorized("a token is needed")
    except Refused as error:
        return refused(request, error)
    grant(request, role)
    return None


def _is_page(request: Request) -> bool:
    """Whether a person in a browser asks, who can be shown where to sign in."""
    wants = request.headers.get("accept", "")
    return (
        request.method == "GET"
        and "text/html" in wants
        and not request.scope["path"].startswith("/api/")
    )
