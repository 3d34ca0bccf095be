"""A node's process under rules of a test's own, for what would take long by the default ones.

Run as `python -m tests.integration.run_host`; CONFIG and POLICY come on stdin, each as a line of
JSON: a configuration may hold a login, which is nothing for a list of processes.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from node.cli.interrupts import interrupted
from node.config import NodeConfig
from node.credentials import take_credentials
from node.host import Host
from node.logs import log_to_stderr
from node.policy import Policy


async def run(config: NodeConfig, policy: Policy) -> None:
    """Serve until a signal comes."""
    stop = interrupted()
    log_to_stderr(debug=os.environ.get("LOTA_DEBUG") == "1")
    async with Host(config, policy=policy, credentials=take_credentials()) as host:
        print("serves as a test's node", file=sys.stderr, flush=True)
        await asyncio.wait((host.failed, stop), return_when=asyncio.FIRST_COMPLETED)
        if host.failed.done():
            host.failed.result()


def main() -> None:
    """Read the two lines and run the node."""
    first, second = sys.stdin.buffer.read().splitlines()
    config = msgspec.json.decode(first, type=NodeConfig, dec_hook=lambda kind, value: Path(value))
    asyncio.run(run(config, msgspec.json.decode(second, type=Policy)))


if __name__ == "__main__":
    main()
