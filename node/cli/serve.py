"""`lota node serve`: one node against a server that runs already."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from events.connection import without_login
from events.errors import WrongUsage
from events.spec import ENGINES_READY
from node.cli.interrupts import interrupted
from node.cli.server import Server, find_server
from node.cli.texts import Texts
from node.config import (
    Address,
    NodeConfig,
    ServeConfig,
    allowed_paths,
    checked_name,
    cores,
    default_name,
    default_publish_root,
    memory_bytes,
)
from node.credentials import Credentials, take_credentials
from node.host import Host
from node.logs import log_to_stderr
from node.state import default_folder
from node.webhooks.hosts import read_hosts

ROLES = {"all": ("requester", "compute"), "requester": ("requester",), "compute": ("compute",)}


async def serve(
    *,
    role: Literal["requester", "compute", "all"] = "all",
    name: str = "",
    state: Path | None = None,
    allow: Texts = (),
    allow_path: Texts = (),
    allow_webhook: Texts = (),
    label: Texts = (),
    width: int = 0,
    publish_root: Path | None = None,
    credentials: Path | None = None,
    serve_results: str = "",
    results_url: str = "",
    results_token_file: Annotated[Path | None, Parameter(env_var="LOTA_RESULTS_TOKEN_FILE")] = None,
    server: Server | None = None,
) -> None:
    """Run a node until Ctrl-C: a requester decides, a compute node does the work.

    Nothing happens that its operator has not allowed: engines run with --allow, local paths are
    read with --allow-path, and requesters deliver webhooks with --allow-webhook.

    Example: lota node serve --role compute --name c1 --allow process --allow-path /data

    Parameters
    ----------
    role
        requester, compute, or all.
    name
        The node's name on the network; the host's name if none is given.
    state
        Folder of the node's state, kept between runs.
    allow
        An engine that may run here: process, docker or noop (always allowed).
    allow_path
        A folder that jobs may read as file:// input.
    allow_webhook
        A host that this requester may deliver webhooks to: HOST, HOST:PORT, *.DOMAIN or * for any.
    label
        KEY=VALUE; jobs ask for it by the label node.KEY=VALUE.
    width
        Executions at one time (default: one a core).
    publish_root
        Where the publisher `local` writes.
    credentials
        Folder of the credentials to publish with, one file NAME/FIELD for each field; beside it
        count the variables LOTA_CRED_NAME_FIELD. Default: lota/credentials below XDG_CONFIG_HOME.
    serve_results
        HOST:PORT to serve what `local` has written on, read-only, over HTTP.
    results_url
        The URL under which others reach it, when it is not http://HOST:PORT.
    results_token_file
        A file with the token to ask for; without one only this machine is served.
    """
    log_to_stderr()
    chosen = checked_name(name or default_name())
    config = NodeConfig(
        name=chosen,
        address=_address(server),
        state=state or default_folder(chosen),
        roles=ROLES[role],
        engines=_engines(allow),
        allow_paths=allowed_paths(allow_path),
        allow_webhooks=read_hosts(allow_webhook),
        labels=_labels(label),
        publish_root=publish_root or default_publish_root(),
        serve_results=_serve_config(serve_results, results_url, results_token_file),
        **_machine(width),
    )
    await _until_interrupted(_serve(config, role, take_credentials(credentials)))


def _machine(width: int) -> dict[str, Any]:
    """Return what executions may take of this machine."""
    return {"cpu": float(cores()), "width": width or cores(), "memory_bytes": memory_bytes()}


def _address(options: Server | None) -> Address:
    found = find_server(options).context
    return Address(
        url=found.server,
        user=found.user or None,
        password=found.password or None,
        token=found.token or None,
        credentials=found.creds or None,
    )


async def _until_interrupted(work: Coroutine[Any, Any, None]) -> None:
    serving = asyncio.ensure_future(work)
    stop = interrupted()
    stop.add_done_callback(lambda _: serving.cancel())
    try:
        await serving
    except asyncio.CancelledError:
        if not stop.done():
            raise


async def _serve(config: NodeConfig, role: str, credentials: Credentials) -> None:
    """Run the node until it fails or this is cancelled, also while it starts."""
    async with Host(config, credentials=credentials) as host:
        server = without_login(config.address.url)
        print(f"node {config.name} serves as {role} at {server}", file=sys.stderr, flush=True)
        await host.failed


def _serve_config(listen: str, url: str, token_file: Path | None) -> ServeConfig | None:
    if listen:
        return ServeConfig(listen=listen, url=url, token_file=token_file)
    if url:
        raise WrongUsage("--results-url names what is not served", hint="add --serve-results")
    return None


def _engines(allow: Texts) -> tuple[str, ...]:
    for engine in allow:
        if engine not in ENGINES_READY:
            raise WrongUsage(
                f"--allow {engine}: there is no such engine",
                hint=f"use one of {', '.join(ENGINES_READY)}",
            )
    return tuple(dict.fromkeys(("noop", *allow)))


def _labels(texts: Texts) -> dict[str, str]:
    labels: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise WrongUsage(f"--label {text}: not KEY=VALUE", hint="write --label zone=eu")
        labels[key] = value
    return labels
