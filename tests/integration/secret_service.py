"""A service that keeps no secret: it refuses every request with all that the request held."""

import asyncio
from typing import Self

HOST = "127.0.0.1"


class EchoingService:
    """Answers 403 with the request's own head as text, as XML and in a header.

    A request below `/hang` is never answered; `hung` is set when the first has come.
    """

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[bytes] = []
        self.hung = asyncio.Event()
        self._ending = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._ending.set()
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        """The base address."""
        return f"http://{HOST}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head)
            if b" /hang" in head.partition(b"\r\n")[0]:
                self.hung.set()
                await self._ending.wait()
                return
            said = b" ".join(head.split(b"\r\n"))
            body = b"<Error><Code>AccessDenied</Code><Message>" + said + b"</Message></Error>"
            writer.write(
                b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nX-Said: "
                + said
                + b"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
                + body
            )
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
