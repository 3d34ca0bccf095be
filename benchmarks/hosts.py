"""The nodes of a benchmark's network, in one process beside the server, as `lota dev` has them.

Run by `benchmarks.network`. Prints one line when all have joined and stops when stdin ends, which
it also does when the process that started this one dies.
"""

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from node.cli.dashboard_process import dashboard_process
from node.config import Address, NodeConfig, cores, memory_bytes
from node.host import Host
from node.logs import log_to_stderr
from node.policy import Policy

ENGINES = ("noop", "process")


def config(name: str, folder: Path, url: str, nodes: int) -> NodeConfig:
    """Return what `lota dev` tells a node; the one without a number is the requester."""
    requester = name == "requester"
    return NodeConfig(
        name=name,
        address=Address(url),
        state=folder / name,
        roles=("requester",) if requester else ("compute",),
        engines=() if requester else ENGINES,
        publish_root=folder / "published",
        cpu=float(cores()),
        width=max(1, cores() // nodes),
        memory_bytes=memory_bytes(),
    )


async def serve(url: str, folder: Path, nodes: int, policy: Policy, *, dashboard: bool) -> None:
    """Run a requester and so many compute nodes until stdin ends or one of them fails."""
    names = [*(f"node-{number + 1}" for number in range(nodes)), "requester"]
    async with AsyncExitStack() as stack:
        hosts = [Host(config(name, folder, url, nodes), policy=policy) for name in names]
        for host in hosts:
            await stack.enter_async_context(host)
        if dashboard:
            shown = dashboard_process(url, folder / "observer", 0)
            await stack.enter_async_context(shown)
        print("ready", flush=True)
        ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
        failed = [host.failed for host in hosts]
        await asyncio.wait([ended, *failed], return_when=asyncio.FIRST_COMPLETED)
        for failure in failed:
            if failure.done():
                failure.result()


def main() -> None:
    """Read the options that `benchmarks.network` gives."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nodes", type=int, required=True)
    parser.add_argument("--over-ask", type=int, required=True)
    parser.add_argument("--dashboard", action="store_true")
    chosen = parser.parse_args()
    log_to_stderr()
    policy = Policy(version=f"asks-{chosen.over_ask}", over_ask=chosen.over_ask)
    asyncio.run(serve(chosen.url, chosen.folder, chosen.nodes, policy, dashboard=chosen.dashboard))


if __name__ == "__main__":
    main()
