"""What people type for an input."""

from pathlib import Path

import pytest

from events.errors import InvalidInput
from events.inputs.naming import absolute, parse_input
from events.spec import Input

HERE = Path.cwd().as_uri()


@pytest.mark.parametrize(
    ("text", "source", "dest"),
    [
        ("data", "data", ""),
        ("./data:in", "./data", "in"),
        ("/srv/data:in/deep", "/srv/data", "in/deep"),
        ("a:b:c", "a:b", "c"),
        ("file:///srv/data", "file:///srv/data", ""),
        ("file:///srv/data:in", "file:///srv/data", "in"),
        ("file:///a%3Ab:in", "file:///a%3Ab", "in"),
        ("s3://bucket", "s3://bucket", ""),
        ("s3://bucket/key:in", "s3://bucket/key", "in"),
        ("http://host:8080", "http://host:8080", ""),
        ("http://host:8080/a", "http://host:8080/a", ""),
        ("http://host:8080/a:in/b", "http://host:8080/a", "in/b"),
        ("lota://01kb2m:in", "lota://01kb2m", "in"),
        ("lota://01kb2m/0/outputs/a:in", "lota://01kb2m/0/outputs/a", "in"),
    ],
)
def test_parse_input(text: str, source: str, dest: str) -> None:
    """The last colon parts SOURCE from DEST, but never within a host and port."""
    assert parse_input(text) == Input(source=source, dest=dest)


def test_parse_paths_with_colons(tmp_path: Path) -> None:
    """A path that exists is taken whole; one more colon still gives it a DEST."""
    path = tmp_path / "12:30"
    path.touch()

    assert parse_input(f"{path}") == Input(source=f"{path}")
    assert parse_input(f"{path}:in") == Input(source=f"{path}", dest="in")


def test_parse_context() -> None:
    """A context input is marked as one."""
    assert parse_input("a:b", context=True) == Input(source="a", dest="b", context=True)


@pytest.mark.parametrize("text", ["", ":", ":in", "data:", "file://", "s3://"])
def test_parse_nothing(text: str) -> None:
    """An empty SOURCE or DEST is refused with the form to write."""
    with pytest.raises(InvalidInput, match="SOURCE:DEST"):
        parse_input(text)


@pytest.mark.parametrize(
    ("source", "dest", "expected"),
    [
        ("data", "", ("/data", "data")),
        ("./a/../data/", "", ("/data", "data")),
        ("a b", "", ("/a%20b", "a b")),
        ("data", "in/deep/", ("/data", "in/deep")),
        ("a:b", "", ("/a%3Ab", "a:b")),
    ],
)
def test_absolute_paths(source: str, dest: str, expected: tuple[str, str]) -> None:
    """A path becomes a URI below the working directory, its place the base name."""
    found = absolute(Input(source=source, dest=dest, context=True), ["file"])

    assert (found.source, found.dest) == (HERE + expected[0], expected[1])
    assert found.context


def test_absolute_uris() -> None:
    """A URI stays one, in its plain form."""
    found = absolute(Input(source="FILE:///srv/x/../data%20set/"), ["file"])

    assert (found.source, found.dest) == ("file:///srv/data%20set", "data set")


def test_a_job_as_a_whole_takes_its_id_as_its_place() -> None:
    """`lota://JOB` has no path to take a base name from."""
    assert absolute(Input(source="lota://01kb2m"), ["lota"]).dest == "01kb2m"


@pytest.mark.parametrize("source", ["", "/", "file:///", "file:///..", "s3://b/k", "file://host/a"])
def test_no_absolute_source(source: str) -> None:
    """An unknown scheme, no base name or no source at all is refused with a hint."""
    with pytest.raises(InvalidInput) as caught:
        absolute(Input(source=source), ["file"])

    assert caught.value.hint


def test_known_schemes_are_named() -> None:
    """Who asks for an unknown scheme is told the known ones."""
    with pytest.raises(InvalidInput, match="file://, web://") as caught:
        absolute(Input(source="s3://b/k"), ["file", "web"])

    assert "'s3'" in str(caught.value)
