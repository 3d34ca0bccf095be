"""`lota dev`: a whole network on this machine, in one command, until Ctrl-C."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import platformdirs
from cyclopts import Parameter

from events.client.contexts import Context, ContextFiles
from node.cli.dashboard_process import dashboard_process
from node.cli.interrupts import interrupted
from node.cli.texts import Texts
from node.config import allowed_paths, default_publish_root
from node.credentials import take_credentials
from node.local import LocalConfig, LocalNetwork
from node.logs import log_to_stderr
from node.webhooks.hosts import LOOPBACK, read_hosts

DEFAULT_PORT = 4222
CONTEXT = "dev"


async def dev(
    *,
    nodes: int = 3,
    state: Path | None = None,
    allow_path: Texts = (),
    allow_webhook: Texts = (),
    credentials: Path | None = None,
    ui: Annotated[bool, Parameter(negative="--no-ui")] = True,
    ui_port: int | None = None,
) -> None:
    """Run nats-server, a requester and compute nodes on this machine until Ctrl-C.

    Port 4222 is taken if it is free. When all is ready, LOTA_SERVER=nats://127.0.0.1:PORT is
    printed on stdout, and the context `dev` is written and used from then on. State is kept
    between runs.

    Example: lota dev --nodes 3 --allow-path .

    Parameters
    ----------
    nodes
        How many compute nodes.
    state
        Folder of the network's state.
    allow_path
        A folder that jobs may read; the working directory if none is given.
    allow_webhook
        A host that webhooks may be delivered to, besides this machine; * for any.
    credentials
        Folder of the credentials to publish with, one file NAME/FIELD for each field.
    ui
        Serve the dashboard and the HTTP API to this machine; --no-ui leaves it out.
    ui_port
        Serve it on this port: 8470 or, if that is taken, a free one if none is given.
    """
    log_to_stderr()
    folder = state or Path(platformdirs.user_data_dir("lota")) / "dev"
    readable = allowed_paths(allow_path or (".",))
    known = take_credentials(credentials)
    network = LocalNetwork(
        LocalConfig(
            folder=folder,
            publish_root=default_publish_root(),
            nodes=nodes,
            port=DEFAULT_PORT,
            throw_away=False,
            allow_paths=readable,
            allow_webhooks=(*LOOPBACK, *read_hosts(allow_webhook)),
        ),
        known,
    )
    stopped = interrupted()
    async with network, AsyncExitStack() as stack:
        contexts = ContextFiles()
        contexts.save(CONTEXT, Context(server=network.url))
        contexts.use(CONTEXT)
        print(f"LOTA_SERVER={network.url}", flush=True)
        if ui:
            shown = dashboard_process(network.url, folder / "observer", ui_port, known, readable)
            await stack.enter_async_context(shown)
        _introduce(network, nodes)
        await _serve(network, stopped)
        print("stopping", file=sys.stderr)


async def _serve(network: LocalNetwork, stopped: "asyncio.Future[None]") -> None:
    """Wait until the network is stopped, or raise what made a node fail."""
    failing = asyncio.ensure_future(network.failed())
    await asyncio.wait((failing, stopped), return_when=asyncio.FIRST_COMPLETED)
    if failing.done():
        failing.result()
    failing.cancel()


def _introduce(network: LocalNetwork, nodes: int) -> None:
    binary = network.server.binary
    print(
        f"{nodes} compute nodes are ready, with {binary}\n"
        f"The server's log is {network.server.log_path}\n"
        "Try in another terminal: lota run -- echo hello",
        file=sys.stderr,
    )
