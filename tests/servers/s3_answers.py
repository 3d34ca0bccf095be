"""An HTTP server that gives every request the same answer: what no honest S3 service would give."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple


class Request(NamedTuple):
    """What was asked; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answers(NamedTuple):
    """A server's port, and what was asked of it."""

    port: int
    requests: list[Request]


def reply(status: int, body: str = "", **headers: str) -> bytes:
    """Spell an answer."""
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + f"\r\n\r\n{body}").encode()


def refusal(status: int, code: str) -> bytes:
    """Spell an error as S3 does, with the request that it refuses."""
    said = "<StringToSign>x-amz-security-token:canary-token</StringToSign>"
    return reply(status, f"<Error><Code>{code}</Code>{said}</Error>")


@asynccontextmanager
async def answering(answer: Callable[[Request], bytes]) -> AsyncIterator[Answers]:
    """Serve until the end of the block; an empty answer ends the connection."""
    requests: list[Request] = []
    handling: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling[writer] = asyncio.current_task()
        with suppress(OSError, asyncio.IncompleteReadError):
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (one.partition(":") for one in lines)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            method, path, _ = first.split(" ")
            requests.append(Request(method, path, headers, body))
            writer.write(answer(requests[-1]))
            await writer.drain()
        writer.close()
        del handling[writer]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield Answers(server.sockets[0].getsockname()[1], requests)
    # A client may leave connections open that it has asked nothing on.
    left = list(handling.items())
    for writer, _ in left:
        writer.close()
    await asyncio.gather(*(task for _, task in left if task is not None))
