"""The application: the API's routes, whatever pages are served beside it, and who may ask."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from events.errors import LotaError
from node.web.access import Access
from node.web.api.endpoint import Endpoint, routes
from node.web.api.endpoints import ENDPOINTS
from node.web.guard import guarded
from node.web.login import login_routes
from node.web.problems import Refused, broken, failed, gone, mistaken, problem, refused
from node.web.unsent import UNSENT_BYTES_MAX, Unsent

TOO_MUCH = problem(
    "",
    503,
    "others have yet to take too much of what they asked for",
    hint="come again after as many seconds as the header Retry-After says, or ask for less",
    headers={"retry-after": "5"},
)


def api_app(
    shared: Any,
    access: Access,
    more: Sequence[BaseRoute] = (),
    *,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
    unsent_bytes_max: int = UNSENT_BYTES_MAX,
) -> ASGIApp:
    """Return the API with `more` routes beside it, such as pages and metrics.

    `shared` is what the handlers of the endpoints share, `node.web.api.shared.Api` for the API's.
    Large answers are refused while so much of others is unsent.
    """
    app = Starlette(
        routes=[*routes(endpoints, shared), *login_routes(access), *more],
        exception_handlers={
            Refused: refused,
            LotaError: failed,
            HTTPException: mistaken,
            ClientDisconnect: gone,
            Exception: broken,
        },
    )
    app.router.redirect_slashes = False
    return guarded(Unsent(TOO_MUCH, unsent_bytes_max).bounded(app), access)
