"""A job as one file: one script, one style, and views that cannot leave their place."""

import base64
import json
import re
from hashlib import sha256

from node.web.job_page import job_page, page_script
from node.web.pages import page_files
from tests.node.web.pages.documents import MARKUP

HOSTILE = {"page": f"{MARKUP} <!-- </script> \u2028 {{when}}"}


def test_the_views_stay_in_their_place() -> None:
    """Whatever a view holds, it ends where it should, and is read as it was."""
    page = job_page("j", "now", HOSTILE).decode()
    found = re.search(r'<script type="application/json" id="kept">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert "<" not in found[1]
    assert json.loads(found[1]) == HOSTILE
    assert page.count("</script>") == 2


def test_what_is_told_of_a_job_is_no_markup() -> None:
    """A name in the frame of the file is text."""
    page = job_page(MARKUP, MARKUP, {}).decode()
    assert MARKUP not in page


def test_the_policy_lets_this_script_and_this_style_through() -> None:
    """The policy names the two by their digests, and allows nothing else."""
    page = job_page("j", "now", {}).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none';")
    for tag, kind in (("style", "style"), ('script type="module"', "script")):
        inside = re.search(f"<{tag}>(.*?)</{kind}>", page, re.DOTALL)
        assert inside is not None
        digest = base64.b64encode(sha256(inside[1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy[1]


def test_the_modules_fit_into_one() -> None:
    """Written one behind the other they import nothing, give no name twice, and end no script."""
    script = page_script()
    names = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", script, re.MULTILINE)
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert sorted(names) == sorted(set(names))
    assert "</script" not in script
    assert "<!--" not in script
    assert "</style" not in page_files()["style.css"].decode()
