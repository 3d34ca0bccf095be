"""`lota webhook` where nobody delivers: what it refuses, and what it shows."""

import json
import secrets

import pytest

from tests.node.cli.conftest import Lota

BAD = {
    "no way to sign": (["http://a.org/x"], "--credential NAME, or --unsigned"),
    "two ways to sign": (["http://a.org/x", "--credential", "a", "--unsigned"], "how to sign"),
    "no URL": (["hooks", "--unsigned"], "not one of http or https"),
    "another scheme": (["ftp://a.org/x", "--unsigned"], "not one of http or https"),
    "no host": (["http://", "--unsigned"], "not one of http or https"),
    "no port": (["http://a.org:x/", "--unsigned"], "cannot be read"),
    "port zero": (["http://a.org:0/", "--unsigned"], "the port 0"),
    "a port too high": (["http://a.org:99999/", "--unsigned"], "the port 99999"),
    "a space": (["http://a.org/a b", "--unsigned"], "percent-encode"),
    "a backslash": (["http://a.org\\x/", "--unsigned"], "percent-encode"),
    "a login": (["http://me:canary@a.org/", "--unsigned"], "login or a query"),
    "a query": (["http://a.org/?key=canary", "--unsigned"], "login or a query"),
    "a fragment": (["http://a.org/#canary", "--unsigned"], "fragment"),
    "a long URL": (["http://a.org/" + "x" * 3_000, "--unsigned"], "2,048"),
    "an unknown type": (["http://a.org/", "--unsigned", "--type", "job.exploded"], "job.completed"),
    "a secret": (["http://a.org/", "--credential", "canary/+="], "takes the name"),
    "an unknown job": (["http://a.org/", "--unsigned", "--job", "zzzz"], "no job zzzz"),
    "a position to come": (
        ["http://a.org/", "--unsigned", "--since", "999999999"],
        "beyond the end",
    ),
    "position zero": (["http://a.org/", "--unsigned", "--since", "0"], "count from 1"),
    "no time": (["http://a.org/", "--unsigned", "--since", "soon"], "how long ago"),
}


@pytest.mark.parametrize("case", BAD)
async def test_bad_input_registers_nothing(lota: Lota, case: str) -> None:
    """Each mistake has its own error, which shows no secret, and leaves no webhook."""
    words, said = BAD[case]
    ran = await lota("webhook", "add", *words)
    assert ran.code in (2, 3), ran.err
    assert said in ran.err
    assert ran.out == ""
    if "canary" in "".join(words):
        assert "canary" not in ran.err
    assert "a.org" not in (await lota("webhook", "ls")).out


async def test_a_webhook_from_its_registration_to_its_end(lota: Lota) -> None:
    """It is registered, listed, described, paused, resumed and removed, by its id or a part of it;
    a second like it is refused.
    """
    url = f"https://{secrets.token_hex(8)}.example.org/hook"
    words = ["webhook", "add", url, "--type", "job.completed", "--type", "lota.job.failed.v1"]
    added = await lota(*words, "--credential", "hooks", "--since", "now")
    assert added.code == 0, added.err
    name = added.out.strip()
    assert "none has yet" in added.err
    again = await lota(*words, "--unsigned")
    assert (again.code, again.out) == (2, "")
    assert f"webhook {name} asks for the same already" in again.err
    assert name in (await lota("webhook", "ls", "-q")).out.split()
    assert url in (await lota("webhook", "ls")).out
    described = json.loads((await lota("webhook", "describe", name[:8], "-o", "json")).out)
    assert (described["state"], described["url"], described["credential"]) == (
        *("active", url),
        "hooks",
    )
    assert described["types"] == ["job.completed", "job.failed"]
    shown = (await lota("webhook", "describe", name)).out
    assert "job.completed, job.failed" in shown
    assert (await lota("webhook", "pause", name)).code == 0
    listed = json.loads((await lota("webhook", "ls", "-o", "json")).out)
    assert [it["state"] for it in listed if it["id"] == name] == ["paused"]
    resumed = await lota("webhook", "resume", name, "--since", "now")
    assert (resumed.code, f"{name} goes on behind position" in resumed.err) == (0, True)
    removed = await lota("webhook", "rm", name)
    assert (removed.code, f"{name} is removed" in removed.err) == (0, True)
    assert name not in (await lota("webhook", "ls")).out
    for words in (["rm"], ["rm", name], ["describe", name], ["pause", name], ["test", name]):
        assert (await lota("webhook", *words)).code in (2, 3)
