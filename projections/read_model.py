"""The port of a read model that a runner keeps beside its own (`projections.rows`).

The runner tells it each message in log order, and writes its rows with the checkpoint and its
state with the snapshot of the fold, each in one transaction. A restart takes up the snapshot and
folds on; the rows are then further than that. So a message whose position is in the rows already is
told again, as `stored`: it changes what the model has open, and is not counted once more.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, TypeVar

from events.entry import Entry
from events.log import Record
from projections.network import Network
from projections.rows import VERSIONS

Row = tuple[str, bytes | None]
"""Key and body; None when there is no such row any more."""

Taken = TypeVar("Taken")


class ReadModel(Protocol[Taken]):
    """One read model, for one runner. Its rows follow from the log alone, whatever happened to it.

    One of another `version` than the stored one is dropped and built again. Raise it when the rows
    or the state are made in another way.
    """

    name: str
    version: int

    @property
    def pending(self) -> int:
        """About how many rows wait to be written: the fold waits when these are many."""
        ...

    def begin(self, network: Network) -> None:
        """Forget all: the fold begins here, with the jobs and nodes that stood before the log."""
        ...

    def restore(self, state: bytes, network: Network) -> None:
        """Forget all but what `state()` had told when the fold was at `network`.

        Raises ValueError or MsgspecError for a state that cannot be used: the log is folded anew.
        """
        ...

    def note(self, record: Record, entry: Entry | None, network: Network, *, stored: bool) -> None:
        """Take in a message that was just folded; `entry` is None when it was skipped.

        A job that is closed is in the network until its rows are written, which is no matter of
        the log: nothing in a row may hang on it.
        """
        ...

    def take(self) -> Taken:
        """Hand over what has changed since the last time. The fold goes on afterwards."""
        ...

    def reads(self, taken: Taken) -> Iterable[str]:
        """Return the keys of the rows that are read to make those of what was taken."""
        ...

    def rows(self, taken: Taken, stored: Mapping[str, bytes]) -> Iterator[Row]:
        """Yield the rows of what was taken; `stored` has the bodies of those that it `reads` and
        that are there, as they were before.

        The fold may go on between rows.
        """
        ...

    def give_back(self, taken: Taken) -> None:
        """Take again what was handed over: it was not written."""
        ...

    def state(self) -> bytes:
        """Return as JSON what is neither in the rows nor in the network; the fold stands still."""
        ...


def versions_with(models: Iterable[ReadModel[Any]]) -> dict[str, int]:
    """Return the versions of a runner's own read models and of these, by name."""
    return VERSIONS | {model.name: model.version for model in models}
