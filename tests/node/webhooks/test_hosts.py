"""Where a node may send to."""

import pytest

from events.errors import WrongUsage
from node.webhooks.hosts import LOOPBACK, is_allowed, read_hosts


@pytest.mark.parametrize(
    ("rule", "url", "allowed"),
    [
        ("hooks.example.org", "https://hooks.example.org/x", True),
        ("hooks.example.org", "https://HOOKS.example.org:8443/x", True),
        ("HOOKS.example.org", "https://hooks.example.org/x", True),
        ("hooks.example.org", "https://hooks.example.org.evil.net/", False),
        ("hooks.example.org", "https://evilhooks.example.org/", False),
        ("example.org", "https://hooks.example.org/", False),
        ("hooks.example.org:8443", "https://hooks.example.org:8443/", True),
        ("hooks.example.org:8443", "https://hooks.example.org/", False),
        ("hooks.example.org:443", "https://hooks.example.org/", True),
        ("hooks.example.org:443", "http://hooks.example.org/", False),
        ("*.example.org", "https://hooks.example.org/", True),
        ("*.example.org", "https://a.b.example.org/", True),
        ("*.example.org", "https://example.org/", False),
        ("*.example.org", "https://evilexample.org/", False),
        ("10.0.0.7", "http://10.0.0.7:9/", True),
        ("10.0.0.7", "http://10.0.0.70/", False),
        ("[::1]:80", "http://[::1]/", True),
        ("[::1]", "http://[::2]/", False),
        ("*", "http://169.254.169.254/", True),
    ],
)
def test_a_rule_admits_a_host(rule: str, url: str, allowed: bool) -> None:
    """A host is named whole, with a port if only that is meant; a star takes the place of names."""
    assert is_allowed(url, read_hosts([rule])) is allowed


def test_nothing_is_allowed_that_is_not_named() -> None:
    """Without a rule there is no host, and the loopback rules name this machine alone."""
    assert not is_allowed("http://127.0.0.1/", ())
    assert all(is_allowed(f"http://{host}:9/", LOOPBACK) for host in LOOPBACK)
    for elsewhere in ("127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]", "localhost.evil.net"):
        assert not is_allowed(f"http://{elsewhere}/", LOOPBACK)


def test_a_url_with_two_readings_goes_by_that_of_the_sender() -> None:
    """What stands before the last at sign is a login, whatever it looks like."""
    assert not is_allowed("http://hooks.example.org\\@evil.net/", ["hooks.example.org"])
    assert not is_allowed("http://hooks.example.org@evil.net/", ["hooks.example.org"])


@pytest.mark.parametrize(
    "text", ["", "http://a.org", "a.org/x", "a b", "a.*", "**", "a.org:x", "::1"]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    """A rule that could never match, or that somebody meant otherwise, is an error."""
    with pytest.raises(WrongUsage, match="no host"):
        read_hosts([text])
