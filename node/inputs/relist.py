"""Lists a job's remote inputs on a compute node, as the requester asked."""

from collections.abc import Mapping

from events.blobs import Blobs
from events.errors import LogError, LotaError
from events.inputs.listing import make_listing
from events.inputs.port import Listable
from events.items import Listing
from events.sharding import pattern
from events.spec import JobSpec


class Relisting:
    """The sources this node can list, by scheme."""

    def __init__(self, sources: Mapping[str, Listable], blobs: Blobs) -> None:
        self._sources = sources
        self._blobs = blobs

    async def list(
        self, spec: JobSpec | None, known: tuple[Listing | None, ...]
    ) -> tuple[tuple[Listing | None, ...], str]:
        """Return listings for the inputs that have none yet, or why there can be none.

        Raises LogError when a blob could not be stored.
        """
        if spec is None:
            return (), "the node was asked to list a job that it does not know"
        listings: list[Listing | None] = []
        for entry, listing in zip(spec.inputs, known, strict=True):
            if listing is not None:
                listings.append(None)
                continue
            source = self._sources.get(entry.source.partition("://")[0])
            if source is None:
                return (), f"no driver for {entry.source}"
            matcher = pattern("" if entry.context else spec.sharding.glob)
            try:
                found = await source.list(entry.source, matcher)
                made, blob = make_listing(entry.source, found.files)
                if blob is not None:
                    await self._blobs.put(blob)
            except LogError:
                raise
            except LotaError as error:
                return (), str(error)
            if not made.count:
                return (), f"nothing in {entry.source} matches {spec.sharding.glob or '**'!r}"
            listings.append(made)
        return tuple(listings), ""
