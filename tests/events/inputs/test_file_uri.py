"""`file://` URIs and what a node may read."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import InvalidInput
from events.inputs.file_uri import allowed, to_path, to_uri

parts = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(parts.filter(lambda part: part not in {".", ".."}), min_size=1))
def test_both_ways(names: list[str]) -> None:
    """Any absolute path comes back from its URI, which is plain ASCII."""
    path = f"/{'/'.join(names)}"

    assert to_path(to_uri(path)) == path
    assert to_uri(path).isascii()


def test_relative_paths() -> None:
    """A relative path is made absolute by the working directory."""
    assert to_uri("a/../b c") == f"{Path.cwd().as_uri()}/b%20c"


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("file:///a/b%20c", "/a/b c"),
        ("file://localhost/a", "/a"),
        ("file:///a/../b/", "/b"),
        ("file:////a", "/a"),
        ("file:///", "/"),
    ],
)
def test_paths(source: str, path: str) -> None:
    """Escapes are decoded and the path is put in its plain form."""
    assert to_path(source) == path


@pytest.mark.parametrize(
    "source",
    [
        "file://host/a",
        "file:a",
        "http:///a",
        "/a",
        "file:///a?b",
        "file:///a#b",
        "file:///%ff",
        "file:///a%00b",
        "file://",
    ],
)
def test_no_paths(source: str) -> None:
    """What names no file of this machine beyond doubt is refused with a hint."""
    with pytest.raises(InvalidInput) as caught:
        to_path(source)

    assert caught.value.hint


def test_allowed(tmp_path: Path) -> None:
    """A source is allowed in one of the folders and nowhere else, whatever it is written like."""
    data, other = tmp_path / "data", tmp_path / "data2"
    (data / "deep").mkdir(parents=True)
    other.mkdir()
    (data / "out").symlink_to(other)
    (tmp_path / "in").symlink_to(data)
    prefixes = [str(data)]

    assert allowed(to_uri(f"{data}"), prefixes)
    assert allowed(to_uri(f"{data}/deep/absent"), prefixes)
    assert allowed(to_uri(f"{tmp_path}/in/deep"), prefixes)
    assert allowed(to_uri(f"{data}"), [f"{tmp_path}/in"])
    assert allowed(to_uri("/etc"), ["/"])
    assert not allowed(to_uri(f"{other}"), prefixes)
    assert not allowed(f"file://{data}/../data2", prefixes)
    assert not allowed(to_uri(f"{data}/out"), prefixes)
    assert not allowed(to_uri(f"{data}/out/absent"), prefixes)
    assert not allowed(to_uri(f"{tmp_path}"), prefixes)
    assert not allowed(f"s3:/{data}", prefixes)
    assert not allowed(to_uri(f"{data}"), [])
