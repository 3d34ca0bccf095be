"""Three nats-servers that are one cluster, each of which a test may kill."""

import asyncio
import socket
from pathlib import Path
from typing import Self

from node.server import CONFIG, HOST, EmbeddedServer

SIZE = 3
CLUSTER = """
server_name: "n{number}"
cluster {{
  name: "lota"
  listen: "127.0.0.1:{port}"
  routes: [{routes}]
}}
"""


class NatsCluster:
    """`async with` gives a cluster that has elected a leader; its stores lie below `folder`."""

    def __init__(self, folder: Path) -> None:
        ports = _free_ports()
        routes = ", ".join(f'"nats://{HOST}:{port}"' for port in ports)
        self.servers = []
        for number, port in enumerate(ports, 1):
            config = folder / f"n{number}.conf"
            cluster = CLUSTER.format(number=number, port=port, routes=routes)
            config.write_text(f"{CONFIG.read_text()}{cluster}")
            self.servers.append(EmbeddedServer(folder / f"n{number}", config=config))

    @property
    def url(self) -> str:
        """The addresses for clients."""
        return ",".join(server.url for server in self.servers)

    async def __aenter__(self) -> Self:
        # None is ready before it has met the others.
        await asyncio.gather(*(server.start() for server in self.servers))
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(server.kill() for server in self.servers))


def _free_ports() -> list[int]:
    sockets = [socket.create_server((HOST, 0)) for _ in range(SIZE)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
