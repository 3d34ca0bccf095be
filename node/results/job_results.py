"""The results of one job, shard by shard, as the log tells and as they are found."""

import asyncio
import os
from collections.abc import Mapping

import platformdirs
from nats.aio.client import Client

from events.cid import cid_bytes
from events.errors import NotFound
from events.items import Claim
from node.results.block_cache import BlockCache
from node.results.failover import FailoverCopy, Standing, Warn
from node.results.holders import Holders
from node.results.publishers import Credentials, OpenPublishers
from node.results.token import results_token
from projections.nodes import Nodes
from projections.state import Job
from publishers.port import Workplace

GATEWAY_VARIABLE = "LOTA_IPFS_GATEWAY"
"""URLs of gateways that may be asked for copies at IPFS, separated by commas or spaces."""


class ShardResult:
    """One shard's accepted result: what it must be, and the copy to read it from.

    `cid` is the accepted CID in 36 bytes, which `publishers.reading` checks every block against.
    """

    def __init__(self, index: int, claim: Claim, copy: FailoverCopy) -> None:
        self.index = index
        self.claim = claim
        self.cid = cid_bytes(claim.cid)
        self.copy = copy

    async def close(self) -> None:
        """Release what was opened; safe to repeat."""
        await self.copy.close()


class JobResults:
    """Opens the results of a job's shards; `warn` is told of holders with wrong bytes.

    `environ` names gateways of IPFS, and the token for results that nodes serve. Raises LotaError
    when that cannot be read; blocks.
    """

    def __init__(
        self,
        job: Job,
        nodes: Nodes,
        *,
        client: Client,
        warn: Warn,
        credentials: Credentials,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.job = job
        self._warn = warn
        self._standing = Standing()
        self._cache = BlockCache()
        folder = platformdirs.user_cache_path("lota") / "reading"
        self._publishers = OpenPublishers(Workplace(folder, client), credentials)
        self._holders = Holders(
            job,
            nodes,
            client=client,
            publishers=self._publishers,
            gateways=environ.get(GATEWAY_VARIABLE, "").replace(",", " ").split(),
            token=results_token(environ),
        )

    async def shard(self, index: int) -> ShardResult:
        """Open a shard's result; nothing is read yet. Raises NotFound when none was accepted."""
        shard = self.job.shards[index]
        claim = shard.verdict.claim if shard.verdict is not None else None
        if claim is None:
            raise NotFound(
                f"shard {index} of {self.job.id} has no accepted result: it is {shard.state}",
                hint=f"lota job describe {self.job.id} tells why",
            )
        copy = FailoverCopy(
            f"shard {index}",
            await asyncio.to_thread(self._holders.of, index),
            standing=self._standing,
            cache=self._cache,
            warn=self._warn,
        )
        return ShardResult(index, claim, copy)

    async def close(self) -> None:
        """Release what was opened; safe to repeat."""
        await self._publishers.close()
