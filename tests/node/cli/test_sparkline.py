"""Numbers as bars."""

from collections.abc import Sequence

import pytest

from node.cli.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((), ""),
        ((0, 0, 0), "▁▁▁"),
        ((0, 1, 2, 3, 4, 5, 6, 7), "▁▂▃▄▅▆▇█"),
        ((0, 1, 1_000_000), "▁▂█"),
        ((5, None, 5), "█ █"),
        ((None, None), "  "),
        ((-1, 2), "▁█"),
    ],
)
def test_bars(values: Sequence[float | None], shown: str) -> None:
    """Bars are as high as their numbers, something is never shown as nothing, and gaps stay."""
    assert sparkline(values, 20) == shown


def test_many_numbers_share_bars() -> None:
    """With fewer bars than numbers no peak is lost, and the last number is in the last bar."""
    values = [0.0] * 90 + [9.0] + [0.0] * 8 + [3.0]
    bars = sparkline(values, 10)
    assert (len(bars), bars[-1]) == (10, "█")
    assert bars[:-1] == "▁" * 9
    assert sparkline([None] * 10 + [1] * 10, 2) == " █"
