"""A job as a file: what it holds is what its page would show, and what it lacks is told."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from events.errors import NotFound
from node.web.access import Access
from node.web.api.app import api_app
from node.web.api.shared import Api
from node.web.job_export import exported_job
from node.web.view_route import api_views
from tests.node.observer.watched import observing
from tests.projections.story import last_job, log_of, story


def kept(page: bytes) -> dict[str, Any]:
    """Return the views of a file."""
    found = re.search(rb'id="kept">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    views: dict[str, Any] = json.loads(found[1])
    return views


@pytest.mark.parametrize("before", [None, 1])
async def test_the_file_holds_the_page_and_all_that_can_be_chosen_on_it(
    before: int | None, tmp_path: Path
) -> None:
    """Each part of the page is there as it is drawn at that position, each shard and each event."""
    records = story(1055)
    name = last_job(records)
    query = {"as_of": str(records[-1].position - before)} if before else {}
    at = {"at": query["as_of"]} if before else {}
    async with observing(log_of(records), tmp_path) as observer:
        api = Api(observer)
        app = api_app(api, Access(), more=api_views(api))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get(f"/api/v1/jobs/{name[:20]}/export", params=query)
            job = (await client.get(f"/api/v1/jobs/{name}", params=query)).json()
            events = (
                await client.get(f"/api/v1/jobs/{name}/events?limit=1000", params=query)
            ).json()
            shown = (await client.get(f"/ui/view/jobs/{name}", params=at)).text
    views = kept(answer.content)
    timeline = re.search('<section data-key="Timeline">.*?</section>', shown, re.DOTALL)
    assert timeline is not None
    assert _without_at(timeline[0]) in views["page"]
    for shard in job["shards"]:
        view = views["views"]["shard"][f"shard={shard['index']}"]
        assert all(execution["id"] in view for execution in shard["executions"])
    for event in events["events"]:
        assert f'data-key="{event["id"]}"' in views["views"]["events"]["view=full"]
    assert "made from a log, without its network" in views["page"]
    assert answer.headers["content-disposition"] == f'attachment; filename="job-{name}.html"'
    assert answer.headers["content-security-policy"] == "sandbox"


def _without_at(html: str) -> str:
    """Return a view without the moment in its links: in a file there is one alone."""
    return re.sub(r"(?:at=\d+&amp;|[?](?=at=\d+\")|&amp;(?=at=\d+\"))(?:at=\d+)?", "", html)


async def test_a_job_that_was_not_there_has_no_file() -> None:
    """Before its submission there is nothing to write."""
    records = story(1055)
    name = last_job(records)
    with pytest.raises(NotFound):
        await exported_job(log_of(records), name, until=2, now_ms=0, access=None)
