"""A job as a file: what it holds is what the API would have answered."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from events.errors import NotFound
from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.documents.jobs import JobDocument, LanesDocument
from node.web.api.documents.log import EventPage
from node.web.api.shared import Api
from node.web.job_export import exported_job
from tests.node.observer.watched import observing
from tests.projections.story import log_of, story

KINDS: dict[str, Any] = {"": JobDocument, "/lanes": LanesDocument, "/events": EventPage}


def kept(page: bytes) -> dict[str, Any]:
    """Return the documents of a file."""
    found = re.search(rb'id="kept">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    documents: dict[str, Any] = json.loads(found[1])
    return documents


@pytest.mark.parametrize("before", [None, 1])
async def test_the_file_holds_what_the_api_answers(before: int | None, tmp_path: Path) -> None:
    """Each document is there, as the API has it at that position, under the path of its route."""
    records = story(1055)
    name = records[-1].subject.split(".")[3]
    query = {"as_of": str(records[-1].position - before)} if before else {}
    async with observing(log_of(records), tmp_path) as observer:
        transport = httpx.ASGITransport(api_app(Api(observer), Access()))
        url = "http://localhost/api/v1"
        async with httpx.AsyncClient(transport=transport, base_url=url) as client:
            answer = await client.get(f"/jobs/{name[:20]}/export", params=query)
            documents = kept(answer.content)
            for path, kind in KINDS.items():
                told = await client.get(
                    f"/jobs/{name}{path}",
                    params=query if path != "/events" else {**query, "limit": "1000"},
                )
                found = documents[f"/jobs/{name}{path}"]
                msgspec.convert(found, kind)
                assert told.json().keys() == found.keys()
                assert not path or told.json()[path[1:]] == found[path[1:]]
    assert answer.headers["content-disposition"] == f'attachment; filename="job-{name}.html"'
    assert answer.headers["content-security-policy"] == "sandbox"


async def test_a_job_that_was_not_there_has_no_file() -> None:
    """Before its submission there is nothing to write."""
    records = story(1055)
    name = records[-1].subject.split(".")[3]
    with pytest.raises(NotFound):
        await exported_job(log_of(records), name, until=2, now_ms=0)
