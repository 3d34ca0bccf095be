"""The given documents are of the API's shapes, so that pages drawn from them count."""

from typing import Any

import msgspec
import pytest

from node.web.api.documents.jobs import JobDocument, JobPage, LanesDocument
from node.web.api.documents.log import EventPage, LogPage, ProjectionRow, SeriesDocument
from node.web.api.documents.nodes import NodeList, RingDocument
from node.web.api.documents.results import ResultPage
from tests.node.web.pages.documents import JOB, answers

KINDS: dict[str, Any] = {
    "/statistics": SeriesDocument,
    "/jobs": JobPage,
    f"/jobs/{JOB}": JobDocument,
    f"/jobs/{JOB}/lanes": LanesDocument,
    f"/jobs/{JOB}/events": EventPage,
    f"/jobs/{JOB}/results": ResultPage,
    "/nodes": NodeList,
    "/ring": RingDocument,
    "/log": LogPage,
    "/projections": list[ProjectionRow],
}


@pytest.mark.parametrize("path", KINDS)
def test_a_given_document_is_one_of_the_api(path: str) -> None:
    """A field that the API adds, drops or renames is missed here first."""
    msgspec.convert(answers()[path], KINDS[path])
