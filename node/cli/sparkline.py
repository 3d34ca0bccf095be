"""A row of numbers as a row of bars, one character each."""

from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"
GAP = " "
"""Where a number is not known."""


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return at most `width` bars, the highest for the largest number, the lowest for 0.

    Where there are more numbers than bars, a bar shows the largest of those that it stands for.
    """
    shown = _largest(values, width) if len(values) > width else list(values)
    top = max((value for value in shown if value is not None), default=0.0)
    return "".join(_bar(value, top) for value in shown)


def _largest(values: Sequence[float | None], count: int) -> list[float | None]:
    """Return the largest known number of each of `count` parts of about equal length."""
    edges = [len(values) * number // count for number in range(count + 1)]
    parts = (values[edges[at] : edges[at + 1]] for at in range(count))
    return [max((v for v in part if v is not None), default=None) for part in parts]


def _bar(value: float | None, top: float) -> str:
    if value is None:
        return GAP
    if value <= 0 or top <= 0:
        return BARS[0]
    # Whatever is there can be told from nothing.
    return BARS[max(1, round(value / top * (len(BARS) - 1)))]
