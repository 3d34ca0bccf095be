"""Where one shard's accepted result may be read from, the nearest and surest first.

Folders of this machine that the publisher `local` has written; published copies elsewhere, through
their drivers; gateways of IPFS; nodes that serve what they published; nodes that ran the shard. The
last are all there is of a job that publishes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from nats.aio.client import Client

from events.commitment import execution_id
from events.errors import InvalidInput
from events.inputs.file_uri import to_path
from events.spec import PublisherSpec
from node.results.failover import Holder
from node.results.node_copy import NodeCopy
from node.results.publishers import OpenPublishers
from projections.nodes import Nodes
from projections.state import Copy, Job
from publishers.port import Copy as BlockCopy
from publishers.port import Location

GATEWAY_PATIENCE_S = 30.0


class Holders:
    """Finds who holds a job's results; `token` is for nodes that serve theirs over HTTP."""

    def __init__(
        self,
        job: Job,
        nodes: Nodes,
        *,
        client: Client,
        publishers: OpenPublishers,
        gateways: Sequence[str] = (),
        token: str | None = None,
    ) -> None:
        self._job = job
        self._nodes = nodes
        self._client = client
        self._publishers = publishers
        self._gateways = gateways
        self._token = token

    def of(self, index: int) -> list[Holder]:
        """Return where a shard's result may be; it blocks to look at this machine's folders."""
        shard = self._job.shards[index]
        cid = shard.verdict.claim.cid if shard.verdict and shard.verdict.claim else ""
        copies = [
            (self._job.spec.publishers[number], copy)
            for number, slot in sorted(shard.slots.items())
            for copy in slot.copies
            if copy.cid == cid
        ]
        local = [copy for spec, copy in copies if spec.driver == "local"]
        remote = [(spec, copy) for spec, copy in copies if spec.driver != "local"]
        return [
            *(holder for copy in local if (holder := self._folder(index, copy)) is not None),
            *(self._published(spec, copy) for spec, copy in remote),
            *(self._gateway(url) for url in self._gateways if _in_ipfs(remote)),
            *(holder for copy in local if (holder := self._served(index, copy)) is not None),
            *(self._ran(index, attempt) for attempt in self._holding(index, cid)),
        ]

    def _folder(self, index: int, copy: Copy) -> Holder | None:
        """A copy of `local`, if it is on this machine and where that driver would put it."""
        try:
            folder = Path(to_path(copy.uri))
        except InvalidInput:
            return None
        if folder.parts[-2:] != (self._job.id, str(index)) or not folder.is_dir():
            return None
        root = folder.parents[1]
        spec = PublisherSpec(driver="local", target=str(root))
        location = Location(copy.uri, copy.cid, copy.size_bytes)
        return Holder(
            str(folder), str(root), lambda: self._publishers.copy(spec, location), promised=True
        )

    def _published(self, spec: PublisherSpec, copy: Copy) -> Holder:
        location = Location(copy.uri, copy.cid, copy.size_bytes)
        service = f"{spec.driver} {spec.target} {spec.credential}"
        return Holder(
            copy.uri, service, lambda: self._publishers.copy(spec, location), promised=True
        )

    def _gateway(self, url: str) -> Holder:
        async def opened() -> BlockCopy:
            # Loading HTTP takes as long as all else: only those who need it wait for it.
            from publishers.gateway import GatewayCopy  # noqa: PLC0415
            from publishers.http import HttpService  # noqa: PLC0415

            return GatewayCopy(HttpService("gateway", url, patience_s=GATEWAY_PATIENCE_S))

        return Holder(f"the IPFS gateway {url}", url, opened)

    def _served(self, index: int, copy: Copy) -> Holder | None:
        """A copy of `local` at the node that made it, if that gives it out."""
        node = self._job.shards[index].executions[copy.attempt].node
        member = self._nodes.members.get(node)
        if member is None or not member.capabilities.serves or member.state in ("left", "lost"):
            return None
        url = member.capabilities.serves

        async def opened() -> BlockCopy:
            # As above: this module loads HTTP, too.
            from node.results.served_copy import ServedCopy  # noqa: PLC0415

            return ServedCopy(url, self._job.id, index, token=self._token)

        return Holder(f"node {node} at {url}", url, opened)

    def _ran(self, index: int, attempt: int) -> Holder:
        node = self._job.shards[index].executions[attempt].node
        name = execution_id(self._job.id, index, attempt)

        async def opened() -> BlockCopy:
            return NodeCopy(self._client, node, name)

        return Holder(f"node {node}", f"node {node}", opened)

    def _holding(self, index: int, cid: str) -> list[int]:
        """Return the executions whose result is the accepted one, those of the verdict first."""
        shard = self._job.shards[index]
        accepted = shard.verdict.accepted if shard.verdict is not None else []
        same = [
            attempt
            for attempt, execution in enumerate(shard.executions)
            if execution.claim is not None and execution.claim.cid == cid
        ]
        return list(dict.fromkeys((*accepted, *same)))


def _in_ipfs(copies: list[tuple[PublisherSpec, Copy]]) -> bool:
    return any(copy.uri.startswith("ipfs://") for _, copy in copies)
