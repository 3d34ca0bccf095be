"""A node's process under rules of a test's own, for what would take long by the default ones.

Run as `python -m tests.integration.run_host CONFIG POLICY`, both as JSON.
"""

import asyncio
import sys
from pathlib import Path

import msgspec

from node.cli.interrupts import interrupted
from node.config import NodeConfig
from node.credentials import take_credentials
from node.host import Host
from node.policy import Policy


async def run(config: NodeConfig, policy: Policy) -> None:
    """Serve until a signal comes."""
    stop = interrupted()
    async with Host(config, policy=policy, credentials=take_credentials()) as host:
        print("serves as a test's node", file=sys.stderr, flush=True)
        await asyncio.wait((host.failed, stop), return_when=asyncio.FIRST_COMPLETED)
        if host.failed.done():
            host.failed.result()


def main() -> None:
    """Read the two arguments and run the node."""
    config = msgspec.json.decode(
        sys.argv[1], type=NodeConfig, dec_hook=lambda kind, value: Path(value)
    )
    asyncio.run(run(config, msgspec.json.decode(sys.argv[2], type=Policy)))


if __name__ == "__main__":
    main()
