"""A job's page as it is made: what it reads, and the words of what it says."""

from typing import Any

import pytest

from node.web.api.drawn_result import read_folder, read_output
from node.web.views.html import render
from node.web.views.job import PAGE
from node.web.views.route import Offer, Route
from tests.node.web.pages.documents import CID, JOB, drawn_job, job, lanes

ODD = b"a b%?#\xff\xc3\xbc"
ALL: frozenset[Offer] = frozenset({"moments", "pages", "output", "save", "cancel"})


def shown(query: str = "", offers: frozenset[Offer] = ALL, **more: Any) -> str:
    """Return the page of the given job, of which some things are changed."""
    route = Route.of(f"jobs/{JOB}", query, offers)
    view = {**drawn_job(job(), lanes(), 0), **more}
    return render(*PAGE.draw({"job": view}, route))


def judged(**verdict: Any) -> str:
    """Return the page of a job whose chosen shard was judged so."""
    view = drawn_job(job(), lanes(), 0)
    shard = {**view["shard"], "verdict": {**view["shard"]["verdict"], **verdict}}
    return shown("shard=0", shard=shard)


def test_a_verdict_is_a_sentence() -> None:
    """What was decided, why and on what can be read aloud."""
    assert f"<b>Verdict: accepted.</b> 1 of 2 agree on <code>{CID}</code>, exit code 0." in judged()
    word = judged(reason="unverified")
    assert "<b>Verdict: accepted.</b> Nobody else ran it: one node&#x27;s word on <code>" in word
    failed = judged(result="failed", reason="fewer than 2 agree: n1 says nothing", claim=None)
    assert "<b>Verdict: failed.</b> Fewer than 2 agree: n1 says nothing</p>" in failed


def test_a_name_of_any_bytes_leads_to_its_folder() -> None:
    """What the address of a folder says is read as the bytes that the folder's name has."""
    encoded = "a%20b%25%3F%23%FF%C3%BC"
    entry = {"name": "?", "encoded": encoded, "kind": "folder", "size_bytes": 1, "cid": CID}
    view = drawn_job(job(), lanes(), 0)
    files = {"entries": [entry], "next": encoded}
    route = Route.of(f"jobs/{JOB}", "shard=0&path=outputs", ALL)
    drawn = render(*PAGE.draw({"job": view, "files": files}, route))
    for start in ("shard=0&amp;path=outputs%2F", "shard=0&amp;path=outputs&amp;file="):
        words = drawn.partition(start)[2].partition('"')[0]
        route = Route.of(f"jobs/{JOB}", start.replace("&amp;", "&") + words, ALL)
        ask = PAGE.reads(route)["files"]
        assert ask.handle is read_folder
        if "file" in start:
            assert ask.query["cursor"] == encoded
        else:
            assert ask.query["path"] == "outputs/" + ODD.decode(errors="surrogateescape")


def test_what_is_not_offered_is_not_asked_for() -> None:
    """Where nobody can be asked, output is not read, and nothing is there to press."""
    route = Route.of(f"jobs/{JOB}", "shard=0&stream=stdout&path=")
    assert set(PAGE.reads(route)) == {"job"}
    assert PAGE.reads(Route(route.page, route.id, route.query, ALL))["output"].handle is read_output
    alone = shown("shard=0", frozenset())
    assert "Cancel" not in alone
    assert "Save as one file" not in alone
    assert "stream=stdout" not in alone
    assert "a log does not hold it" in alone


@pytest.mark.parametrize("shard", ["x", "0.0", "-1", "٣", "9999999", ""])
def test_an_odd_shard_in_an_address_is_none(shard: str) -> None:
    """The page is drawn without a shard."""
    route = Route.of(f"jobs/{JOB}", f"shard={shard}", ALL)
    assert PAGE.reads(route)["job"].query["shard"] is None


def test_a_job_that_has_ended_is_not_cancelled() -> None:
    """Nor is one of the past, or one that is being cancelled already."""
    assert "Cancel…" in shown()
    assert "Cancel…" not in shown(ended_at="2026-11-30T01:00:00Z")
    assert "Cancel…" not in shown("at=77")
    assert "Cancel…" not in shown(cancel_asked="e1")


def test_of_a_shard_that_failed_no_copy_is_to_come() -> None:
    """What was to be published when it failed is not told as if somebody were at it."""
    slot = {"publisher": "s3", "target": "bin", "node": "n1", "state": "assigned", "reason": None}
    view = drawn_job(job(), lanes(), 0)
    shard = {**view["shard"], "publications": [], "slots": [slot]}
    assert "assigned" in shown("shard=0", shard={**shard, "state": "publishing"})
    assert "assigned" not in shown("shard=0", shard={**shard, "state": "failed"})
