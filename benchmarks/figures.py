"""What a benchmark says: a figure beside its limit or its peer, as a line and as a table's row."""

from collections.abc import Iterable

import msgspec
from rich import box
from rich.table import Table

WHOLE_FROM = 100.0


class Unavailable(Exception):
    """What a benchmark needs and this machine does not have."""


class Limit(msgspec.Struct, frozen=True):
    """Where good begins."""

    value: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Whether a figure is good enough."""
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{number(self.value)} or {'less' if self.at_most else 'more'}"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """What else does the same in the same run.

    `ratio` is the figure's to `value`, given apart because it is the median of rounds in turn.
    """

    name: str
    value: float
    ratio: float
    limit: Limit | None = None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One thing measured."""

    what: str
    value: float
    unit: str
    limit: Limit | None = None
    peer: Peer | None = None

    @property
    def met(self) -> bool | None:
        """Whether every limit is met; None when there is none."""
        judged: list[bool] = []
        if self.limit is not None:
            judged.append(self.limit.met(self.value))
        if self.peer is not None and self.peer.limit is not None:
            judged.append(self.peer.limit.met(self.peer.ratio))
        return all(judged) if judged else None

    def __str__(self) -> str:
        said = f"{self.what}: {number(self.value)} {self.unit}"
        if self.limit is not None:
            said += f" (limit {self.limit})"
        if self.peer is not None:
            said += f"; {self.peer.name} {number(self.peer.value)} {self.unit}"
            said += f", ratio {self.peer.ratio:.2f}"
            said += f" (limit {self.peer.limit})" if self.peer.limit is not None else ""
        return said + ("  FALLS SHORT" if self.met is False else "")


def number(value: float) -> str:
    """Return a figure with the digits that mean something."""
    return f"{value:,.0f}" if abs(value) >= WHOLE_FROM else f"{value:.3g}"


def table(figures: Iterable[Figure], *, markdown: bool) -> Table:
    """Return all figures as one table; `markdown` draws it so that it can be pasted."""
    made = Table(box=box.MARKDOWN if markdown else box.SIMPLE)
    made.add_column("What")
    made.add_column("Lota", justify="right")
    made.add_column("Limit")
    made.add_column("Beside")
    made.add_column("Ratio", justify="right")
    made.add_column("Limit")
    made.add_column("Met")
    for figure in figures:
        peer = figure.peer
        made.add_row(
            figure.what,
            f"{number(figure.value)} {figure.unit}",
            str(figure.limit or ""),
            f"{peer.name} {number(peer.value)}" if peer is not None else "",
            f"{peer.ratio:.2f}" if peer is not None else "",
            str(peer.limit or "") if peer is not None else "",
            {None: "", True: "yes", False: "no"}[figure.met],
        )
    return made
