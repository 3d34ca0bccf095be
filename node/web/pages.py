"""The pages of the dashboard: the files of the folder `pages`, as they are, under `/ui/`.

They are small and read once. Their policy lets a browser load, run and reach nothing but this
server, so that text from the network that gets into a page as markup does nothing there.
"""

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "cache-control": "no-cache",
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


def page_routes() -> list[BaseRoute]:
    """Return the routes of the pages, and the way to them from `/`."""
    return [
        Route("/", _to_the_pages, methods=["GET"]),
        Route("/ui", _to_the_pages, methods=["GET"]),
        Route("/ui/", _page, methods=["GET"]),
        Route("/ui/{name}", _page, methods=["GET"]),
    ]


@cache
def page_files() -> dict[str, bytes]:
    """Return the content of each file of the pages, by name."""
    return {
        file.name: file.read_bytes()
        for file in (files("node.web") / "pages").iterdir()
        if file.name.rpartition(".")[2] in MEDIA_TYPES
    }


async def _to_the_pages(_: Request) -> Response:
    return RedirectResponse("/ui/")


async def _page(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    content = page_files().get(name)
    if content is None:
        return Response(
            "There is no such page: /ui/ is the first one\n", 404, HEADERS, "text/plain"
        )
    etag = f'"{sha256(content).hexdigest()[:32]}"'
    headers = {**HEADERS, "etag": etag}
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[name.rpartition(".")[2]])
