"""The list of jobs as it is made."""

from typing import Any

from node.web.views.html import render
from node.web.views.jobs import PAGE
from node.web.views.route import Route
from tests.node.web.pages.documents import job_row


def shown(state: str, **more: Any) -> str:
    """Return the page with one job, of which some things are changed."""
    jobs = {"jobs": [{**job_row(1, state), **more}], "next": None}
    return render(*PAGE.draw({"jobs": jobs}, Route("jobs")))


def test_why_a_job_ended_is_told_once() -> None:
    """Its class and the reason; a job that was cancelled without one is cancelled, and no more."""
    assert ">user: exited with 3<" in shown("failed", code="user", reason="exited with 3")
    assert ">deadline<" in shown("failed", code="deadline", reason=None)
    assert ">cancelled: too slow<" in shown("cancelled", code="cancelled", reason="too slow")
    for none in (None, ""):
        assert "bad brief" not in shown("cancelled", code="cancelled", reason=none)
