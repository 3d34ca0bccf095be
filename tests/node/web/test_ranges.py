"""Single byte ranges."""

import pytest

from node.web.ranges import Unsatisfiable, byte_range


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=2-5", (2, 6)),
        ("bytes=2-", (2, 10)),
        ("bytes=2-99", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes = 1-2", (1, 3)),
    ],
)
def test_a_single_range_is_answered(header: str, expected: tuple[int, int]) -> None:
    """Ranges from an offset, between two, and up to the end mean what the RFC says."""
    assert byte_range(header, 10) == expected


@pytest.mark.parametrize(
    "header",
    [
        "",
        "bytes=",
        "bytes=-",
        "bytes=1-2,4-5",
        "lines=1-2",
        "bytes=5-2",
        "bytes=a-b",
        "bytes=\u0661-",
    ],
)
def test_what_is_no_single_range_is_ignored(header: str) -> None:
    """The whole file is sent for what does not parse."""
    assert byte_range(header, 10) is None


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_a_range_behind_the_end_is_refused(header: str) -> None:
    """A range without a single byte of the file cannot be answered."""
    with pytest.raises(Unsatisfiable):
        byte_range(header, 10)
