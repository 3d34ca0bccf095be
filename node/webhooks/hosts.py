"""Where a node may deliver to: its operator names the hosts.

Who may add a webhook has a node send requests from where it stands, into networks that they
themselves may not reach. So nothing is sent to a host that was not named.
"""

import re
from collections.abc import Iterable

import httpx

from events.errors import WrongUsage

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ANY = "*"

_DEFAULT_PORTS = {"http": 80, "https": 443}
_RULE = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*)(:(?P<port>\d{1,5}))?"
)


def read_hosts(texts: Iterable[str]) -> tuple[str, ...]:
    """Return rules as they are compared: `HOST`, `HOST:PORT`, `*.DOMAIN`, or `*` for all.

    Raises WrongUsage for what is none of these.
    """
    rules = tuple(dict.fromkeys(text.lower() for text in texts))
    for rule in rules:
        if rule != ANY and not _RULE.fullmatch(rule):
            raise WrongUsage(
                f"--allow-webhook {rule!r}: no host",
                hint="write hooks.example.org, 10.0.0.7:8080, *.example.org, or * for any",
            )
    return rules


def is_allowed(url: str, rules: Iterable[str]) -> bool:
    """Say whether a rule admits the host and port of a URL; without a port a rule admits all."""
    # As the client reads it that will send: two readings of one URL could name two hosts.
    parts = httpx.URL(url)
    host = parts.host.lower()
    port = parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return any(_admits(rule, host, port) for rule in rules)


def _admits(rule: str, host: str, port: int) -> bool:
    if rule == ANY:
        return True
    found = _RULE.fullmatch(rule)
    if found is None or (found["port"] and int(found["port"]) != port):
        return False
    wanted = found["host"].strip("[]")
    if wanted.startswith("*."):
        return host.endswith(wanted[1:]) and len(host) >= len(wanted)
    return host == wanted
