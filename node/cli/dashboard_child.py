"""The process that serves the dashboard of `lota dev`: see `node.cli.dashboard_process`.

    python -m node.cli.dashboard_child URL FOLDER [--port N] [--allow-path P]

Prints `?`, and is told its secrets in a line. Then it prints the URL of the pages, or a line that
begins with `!` and says why there are none. It ends when its input does.
"""

import argparse
import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from events.connection import connect
from events.errors import LotaError
from events.jetstream import History, open_log
from node.cli.dashboard_process import CONCEALED, Told
from node.cli.doors import HOST, Serving, open_door
from node.credentials import Credentials
from node.logs import log_to_stderr
from node.observer.folder import locked_folder
from node.observer.observer import Observer
from node.own_environment import conceal
from node.web.dashboard import dashboard

TOLD_BYTES_MAX = 16 * 1024 * 1024
"""More than an environment can hold."""

NICE = 10
"""Whatever the network does goes before."""


async def serve(url: str, folder: Path, options: argparse.Namespace) -> None:
    """Serve the dashboard of the server's log until the input ends. Raises LotaError."""
    listen = f"{HOST}:{options.port}" if options.port is not None else None
    async with AsyncExitStack() as stack:
        told = await _input()
        credentials = await _told(told)
        if credentials is None:
            return
        door = await open_door(Serving(listen=listen))
        stack.callback(door.bound.close)
        client = await connect(url, name="dashboard")
        stack.push_async_callback(client.close)
        log = await open_log(client)
        stack.push_async_callback(log.close)
        history = History(client)
        stack.push_async_callback(history.close)
        kept = stack.enter_context(locked_folder(folder))
        opened = Observer.open(log, kept, history.position_since)
        observer = await stack.enter_async_context(opened)
        shown = dashboard(
            observer, client, door, credentials=credentials, allow_paths=options.allow_path
        )
        served = await stack.enter_async_context(shown)
        print(door.page(), flush=True)
        stopped = asyncio.ensure_future(told.read())
        ended = asyncio.ensure_future(served.ended())
        await asyncio.wait((stopped, ended), return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            ended.result()
        stopped.cancel()
        ended.cancel()


async def _told(reader: asyncio.StreamReader) -> Credentials | None:
    """Ask for the secrets, now that nobody else can look, and return the credentials of them.

    None when the input has ended: the network did not start.
    """
    conceal()
    print(CONCEALED, flush=True)
    line = await reader.readline()
    if not line:
        return None
    told = msgspec.json.decode(line, type=Told)
    os.environ |= told.others
    return Credentials(told.variables, Path(told.folder) if told.folder is not None else None)


async def _input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=TOLD_BYTES_MAX)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def main() -> None:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int)
    parser.add_argument("--allow-path", action="append", default=[])
    options = parser.parse_args()
    os.nice(NICE)
    log_to_stderr()
    try:
        asyncio.run(serve(options.url, options.folder, options))
    except LotaError as error:
        print(f"! {error.what}", flush=True)


if __name__ == "__main__":
    main()
