"""`lota events schema` prints what is committed in docs/events."""

import pytest

from node.cli.main import main
from tests.events.documents import FOLDER


@pytest.mark.parametrize(
    ("words", "file"),
    [
        ([], "lota.events"),
        (["--type", "results.proposed"], "lota.results.proposed.v1"),
        (["--type", "lota.results.proposed.v1"], "lota.results.proposed.v1"),
    ],
)
def test_prints_the_committed_schema(
    words: list[str], file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prints all types in one schema, or that of the type that is asked for by either name."""
    assert main(["events", "schema", *words]) == 0
    expected = (FOLDER / f"{file}.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == expected


def test_names_the_types_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A type that is not one of ours is wrong usage, and the answer lists those that are."""
    assert main(["events", "schema", "--type", "job.adopted"]) == 2
    told = capsys.readouterr().err
    assert "job.adopted" in told
    assert "results.proposed" in told
