"""A server that answers for the API with given documents, and tells of changes when told to."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Self
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from node.config import ServeConfig
from node.web.access import Access
from node.web.api.drawn_job import read_drawn_job
from node.web.api.drawn_result import beginning, read_folder, read_output
from node.web.api.endpoints import ENDPOINTS
from node.web.guard import guarded
from node.web.listening import listen
from node.web.pages import page_routes
from node.web.problems import Refused, refused
from node.web.server import WebServer
from node.web.view_route import read_moment, view_routes
from node.web.views.page import Ask, Moment
from node.web.views.route import Offer
from tests.node.web.pages.documents import LAST, answers, drawn_job, time

API = "/api/v1"
OFFERS: frozenset[Offer] = frozenset({"moments", "pages", "output", "save", "cancel"})
JOB = "/jobs/{id}"
PATHS: dict[Any, str] = {
    **{endpoint.handle: endpoint.path.removeprefix(API) for endpoint in ENDPOINTS},
    read_drawn_job: JOB,
    read_output: f"{JOB}/logs",
    read_folder: f"{JOB}/results",
}


class GivenServer:
    """Serves the pages, and `answers` by their paths below /api/v1, with a query or for any.

    `asked` are the requests for them, `span` is from where to where a job's events go. While
    `held` is set, answers wait; `at_once` counts for each URL how many waited at the same time at
    most.
    """

    def __init__(self) -> None:
        self.answers = answers()
        self.span = {"first": 1, "last": LAST}
        self.asked: list[str] = []
        self.posted: list[tuple[str, Any]] = []
        self.held: asyncio.Event | None = None
        self.at_once: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._changes: set[asyncio.Queue[str | None]] = set()
        self._news = asyncio.Event()
        routes = [
            *page_routes(),
            *view_routes(self.read, OFFERS),
            Route("/login", self._login),
            Route(f"{API}/changes", self._follow),
            Route(f"{API}/{{path:path}}", self._answer, methods=["GET", "POST"]),
        ]
        listener = listen(ServeConfig(listen="127.0.0.1:0"))
        self.url = listener.url
        handlers: Any = {Refused: refused}
        app = guarded(Starlette(routes=routes, exception_handlers=handlers), Access())
        self._server = WebServer(app, listener.bound)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        await self._server.__aexit__()

    def change(self, position: int, *, jobs: list[str] | None = None, nodes: bool = False) -> None:
        """Tell all pages that the log has come to a position."""
        data = {"position": position, "time": time(position), "jobs": jobs, "nodes": nodes}
        for queue in self._changes:
            queue.put_nowait(f"id: {position}\nevent: change\ndata: {json.dumps(data)}\n\n")

    def cut(self) -> None:
        """End all streams of changes; pages come again."""
        for queue in self._changes:
            queue.put_nowait(None)

    async def until_asked(self, words: str, times: int = 1) -> None:
        """Wait until so many requests since `asked` was cleared hold these words."""
        async with asyncio.timeout(20):
            while sum(words in url for url in self.asked) < times:
                self._news.clear()
                await self._news.wait()

    async def until_followed(self, times: int) -> None:
        """Wait until so many pages follow the changes."""
        async with asyncio.timeout(20):
            while len(self._changes) != times:
                self._news.clear()
                await self._news.wait()

    async def _answer(self, request: Request) -> Response:
        url = request.url.path.removeprefix(API) + (
            f"?{request.url.query}" if request.url.query else ""
        )
        if request.method == "POST":
            self.asked.append(url)
            self._news.set()
            self.posted.append((url, await request.json()))
            return JSONResponse({}, 202)
        found = await self._given(url)
        if isinstance(found, Response):
            return found
        if isinstance(found, str):
            return PlainTextResponse(found)
        if found is None:
            problem = {"title": "Not Found", "detail": "there is no such thing", "hint": "look"}
            return JSONResponse(problem, 404, media_type="application/problem+json")
        return JSONResponse(found)

    async def _given(self, url: str) -> Any:
        self.asked.append(url)
        self._news.set()
        self._waiting[url] += 1
        self.at_once[url] = max(self.at_once[url], self._waiting[url])
        if self.held is not None:
            await self.held.wait()
        self._waiting[url] -= 1
        return self.answers.get(url, self.answers.get(url.partition("?")[0]))

    async def read(self, ask: Ask, at: str | None) -> Any:
        """Read for a view what a browser would be answered."""
        if ask.handle is read_moment:
            return self._moment(at)
        query = {name: value for name, value in ask.query.items() if value not in (None, "")}
        if at is not None and not ask.now:
            query["as_of"] = at
        path = PATHS[ask.handle].format(**ask.path)
        words = f"?{urlencode(query)}" if query else ""
        found = await self._document(path + words)
        if ask.handle is read_drawn_job:
            lanes = await self._document(f"{path}/lanes{words}")
            return {**drawn_job(found, lanes, ask.query.get("shard")), **self.span}
        return beginning(found.encode()) if ask.handle is read_output else found

    async def _document(self, url: str) -> Any:
        """Return what is given, or refuse as the API would."""
        found = await self._given(url)
        if isinstance(found, Response):
            said = json.loads(bytes(found.body))
            raise Refused(found.status_code, said["detail"], hint=said.get("hint", ""))
        if found is None:
            raise Refused(404, "there is no such thing", hint="look")
        return found

    def _moment(self, at: str | None) -> Moment:
        log = self.answers["/log"]
        position = int(at) if at and at.isdecimal() else log["last"]
        return Moment(log["first"], position, log["last"], time(position))

    async def _follow(self, _: Request) -> Response:
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._changes.add(queue)
        self._news.set()
        self.change(LAST)

        async def stream() -> AsyncIterator[str]:
            yield "retry: 50\n\n"
            try:
                while (said := await queue.get()) is not None:
                    yield said
            finally:
                self._changes.discard(queue)
                self._news.set()

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def _login(self, _: Request) -> Response:
        return PlainTextResponse("sign in here")
