"""The page of a job for a file: what it says that the file does not hold."""

from html import unescape

from node.web.kept_results import KeptResult
from node.web.views.kept import REASONS_MAX, kept_views
from tests.node.web.pages.documents import drawn_job, job, lanes


def lacks(results: dict[int, KeptResult]) -> list[str]:
    """Return what the file of the given job says about what it lacks."""
    given = job()
    page = kept_views(drawn_job(given, lanes()), given["shards"], [], results, [])["page"]
    return [unescape(line) for line in page.rpartition("<ul>")[2].split("</li>")[:-1]]


def test_reasons_are_told_once() -> None:
    """Shards that lack something for the same reason are counted; one is named."""
    results = {0: KeptResult(why="lost"), 1: KeptResult(), 2: KeptResult(why="lost")}
    told = lacks({**results, 7: KeptResult(why="late")})
    assert told[0] == "<li>Output and files of 2 shards, or some of them: lost."
    assert told[1] == "<li>Output and files of shard 7, or some of them: late."
    assert len(told) == 3


def test_many_reasons_are_told_at_each_shard() -> None:
    """A list that nobody would read is not made."""
    told = lacks({index: KeptResult(why=f"node {index} is gone") for index in range(12)})
    assert len(told) == REASONS_MAX + 2
    assert "Output and files of 2 shards, or some of them: each says why." in told[REASONS_MAX]
