"""The pages' views over HTTP: `/ui/view/` and the words of a page's address.

A view is HTML for the inside of a page, behind an element `shown` that tells the page's script what
it needs. What cannot be read is left out and told there; where the log itself cannot be read, the
answer is a problem, and the page stays as it was.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from typing import Any, get_type_hints

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route as HttpRoute

from events.errors import LotaError
from events.times import rfc3339
from node.redaction import redacted
from node.web.access import may, require
from node.web.api.asking import AsOfQuery
from node.web.api.endpoint import converted, lists_of
from node.web.api.shared import Api
from node.web.pages import HEADERS
from node.web.problems import Refused, status_of
from node.web.views.html import render
from node.web.views.page import Ask, Documents, Moment, Standing, shown
from node.web.views.pages import PAGES
from node.web.views.route import START, Offer, Route

DRAWN_WITHOUT = {404, 409, 422, 502, 504}
"""Statuses of problems that concern one document; a page is drawn without it."""

NETWORK = Standing(
    live="Live",
    now="Connected: changes are shown as they come.",
    past="The past is shown. Live goes back to now.",
)
FILE = Standing(
    live="End",
    now="This is a log from a file: nothing new comes, and nothing can be asked of its network.",
    past="The past of a log from a file is shown. End goes to its last event.",
)

Read = Callable[[Ask, str | None], Awaitable[Any]]
"""Gives a document as of a moment, None for now. Raises LotaError, and `Refused` for an address
that asks for what cannot be."""


def view_routes(read: Read, offers: frozenset[Offer]) -> list[HttpRoute]:
    """Return the route of the views; `offers` is what can be done by who may do everything."""

    async def view(request: Request) -> Response:
        require(request, "read")
        allowed = offers if may(request, "submit") else offers - {"cancel"}
        text = await _view(read, _route(request, allowed))
        return HTMLResponse(text.encode("utf-8", "replace"), headers={**HEADERS, **NOT_KEPT})

    return [HttpRoute("/ui/view/{path:path}", view, methods=["GET"])]


NOT_KEPT = {"cache-control": "no-store"}


def api_views(api: Api) -> list[HttpRoute]:
    """Return the route of the views of what an API knows; its own handlers read for them."""
    offers: set[Offer] = {"moments", "pages", "save"}
    if api.gateway is not None:
        offers.add("output")
        if api.gateway.writable:
            offers.add("cancel")
    return view_routes(partial(read_from, api), frozenset(offers))


async def read_from(api: Api, ask: Ask, at: str | None) -> Any:
    """Return a document from a handler of the API, asked as over HTTP but for the JSON."""
    takes = _takes(ask.handle)
    given: dict[str, Any] = {}
    if "path" in takes:
        given["path"] = converted(ask.path, takes["path"], "path")
    if "query" in takes:
        kind = takes["query"]
        query: dict[str, Any] = {
            name: value for name, value in ask.query.items() if value not in (None, "")
        }
        if at is not None and not ask.now and "as_of" in kind.__struct_fields__:
            query["as_of"] = at
        for name in lists_of(kind) & query.keys():
            query[name] = [query[name]]
        given["query"] = converted(query, kind, "query")
    return await ask.handle(api, **given)


async def read_moment(api: Api, query: AsOfQuery) -> Moment:
    """Return what is shown as of a point of the log."""
    past = await api.past(query.as_of)
    base = await api.observer.log.base()
    return Moment(
        first=base.position + 1 if base is not None else 1,
        position=past.position,
        newest=api.observer.position,
        time=rfc3339(past.time_ms) if past.time_ms else None,
    )


@cache
def _takes(handle: Callable[..., Any]) -> Mapping[str, Any]:
    return get_type_hints(handle, include_extras=True)


def _route(request: Request, offers: frozenset[Offer]) -> Route:
    text = request.scope["query_string"].decode("latin-1")
    try:
        route = Route.of(request.path_params["path"], text, offers)
    except ValueError:
        raise Refused(422, "the address has too many fields", hint="leave some out") from None
    return route if route.page in PAGES else Route.of(START, text, offers)


async def _view(read: Read, route: Route) -> str:
    page = PAGES[route.page]
    asks = page.reads(route)
    moment, *found = await asyncio.gather(
        read(Ask(read_moment), route.at), *(_document(read, ask, route.at) for ask in asks.values())
    )
    documents: Documents = {name: document for name, (document, _) in zip(asks, found, strict=True)}
    problem = next((problem for _, problem in found if problem), "")
    standing = NETWORK if "output" in route.offers else FILE
    head = shown(page, documents, route, moment, standing, problem)
    return render(head, page.draw(documents, route))


async def _document(read: Read, ask: Ask, at: str | None) -> tuple[Any, str]:
    """Return a document, or why a page is drawn without it."""
    try:
        return await read(ask, at), ""
    except LotaError as error:
        if status_of(error)[0] not in DRAWN_WITHOUT:
            raise
        what, hint = error.what, error.hint
    except Refused as error:
        if error.status not in DRAWN_WITHOUT:
            raise
        what, hint = error.detail, error.hint
    return None, redacted(f"{what}. {hint}" if hint else what)
