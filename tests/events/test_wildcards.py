"""NATS wildcards."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import LogError
from events.wildcards import matches, overlap, refuse_overlap

TOKENS = ("a", "b")
SUBJECTS = [
    ".".join(tokens) for size in (1, 2, 3, 4) for tokens in itertools.product(TOKENS, repeat=size)
]
FILTERS = st.builds(
    lambda tokens, tail: ".".join([*tokens, *tail]),
    st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=3),
    st.sampled_from([[], [">"]]),
)


@pytest.mark.parametrize(
    ("filter", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("*.b.>", "a.b.c", True),
        (">", "a", True),
        ("a*", "ab", False),
    ],
)
def test_matches(filter: str, subject: str, expected: bool) -> None:
    """`*` is one whole token, and `>` is one or more at the end."""
    assert matches(filter, subject) is expected


@given(FILTERS, FILTERS)
def test_overlap_is_a_common_subject(one: str, other: str) -> None:
    """Two filters overlap exactly when some subject matches both."""
    common = any(matches(one, subject) and matches(other, subject) for subject in SUBJECTS)
    assert overlap(one, other) is common


@pytest.mark.parametrize("filters", [[], ["a.>", "a.b"], ["x", "a.*.c", "a.b.*"]])
def test_overlapping_filters_are_refused(filters: list[str]) -> None:
    """No filter, or two that select the same subject, raise LogError."""
    with pytest.raises(LogError):
        refuse_overlap(filters)
