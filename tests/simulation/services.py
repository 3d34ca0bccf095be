"""The publishing services: a free one, and one that takes money and keeps a ledger.

They go by the names of drivers that the shipped policy takes for such.
"""

from collections.abc import Callable

FREE = "local"
PAID = "lotus"
LINKED = "ipfs"
"""Free as well, and it finds by CID."""
Key = tuple[str, int, str]
"""(job, shard, driver): the upload key of a slot."""


class Services:
    """What was published where. `published` is called before anything is stored.

    `in_flight` holds the payments that are being made, perhaps by a child of a dead process; like
    a lock on a file, who made them can see it.
    """

    def __init__(self) -> None:
        self.stored: dict[tuple[str, int, str], set[str]] = {}
        self.in_flight: set[Key] = set()
        self.payments: dict[Key, list[str]] = {}
        self.roots: dict[tuple[str, str], str] = {}
        """The root CID by (job, driver)."""
        self.published: Callable[[str, int, str, str], None] = lambda *_: None

    def publish(self, key: Key, node: str, cid: str) -> str:
        """Store a result and return its URI; where it costs money, take it every time."""
        job, shard, driver = key
        self.published(job, shard, node, driver)
        uri = f"{driver}://{job}/{shard}"
        if driver == PAID:
            self.payments.setdefault(key, []).append(node)
        else:
            uri += f"?at={node}"
        self.stored.setdefault(key, set()).add(uri)
        return uri

    def lookup(self, key: Key) -> str | None:
        """Return the URI that is stored under a key, None if there is none."""
        found = self.stored.get(key)
        return min(found) if found else None
