"""Which events are meant."""

import pytest

from events.errors import WrongUsage
from events.selection import filters, read_kinds
from events.subjects import partition


def test_a_type_has_several_spellings() -> None:
    """With or without prefix and version, and named twice, it is one."""
    spelt = ["results.proposed", "lota.results.proposed.v1", "lota.job.failed", "job.failed.v2"]
    assert read_kinds(spelt) == ("results.proposed", "job.failed")


@pytest.mark.parametrize(
    "text", ["", "job", "job.exploded", "lota.", "*.failed", "job.failed.v1.x"]
)
def test_an_unknown_type_is_refused_with_those_there_are(text: str) -> None:
    """Nothing that is no type becomes a filter."""
    with pytest.raises(WrongUsage) as refused:
        read_kinds([text])
    assert "job.completed" in refused.value.hint


def test_filters() -> None:
    """A job narrows the subjects, and so does a type."""
    at = partition("j1")
    assert filters(None, []) == ["lota.ev.>"]
    assert filters("j1", []) == [f"lota.ev.{at}.j1.>"]
    assert filters("_", ["node.joined"]) == ["lota.ev.net._.*.*.node.joined"]
    assert filters(None, ["a.b", "c.d"]) == ["lota.ev.*.*.*.*.a.b", "lota.ev.*.*.*.*.c.d"]
