"""A webhook as it is registered, and how far it has come: what the bucket `LOTA_WEBHOOKS` holds.

    webhook.<id>     what was asked for, and whether it is on; whoever registers writes it
    progress.<id>    where it stands; who delivers writes it, by compare-and-set
    ping.<id>        a wish for a test; who delivers answers it under
    pong.<id>

No secret is in there: a registration names a credential.
"""

import hashlib
import re
from typing import Literal

import httpx
import msgspec

from events.errors import LotaError, WrongUsage
from events.selection import filters
from events.spec import CREDENTIAL_NAME
from events.subjects import JOB_ID, NET

BUCKET = "LOTA_WEBHOOKS"
URL_CHARS_MAX = 2_048
PORT_MAX = 65_535
LATE_SHOWN_MAX = 5

State = Literal["active", "paused", "disabled"]


class Webhook(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who wants to hear of what. No types mean all, no credential that nothing is signed.

    `job` is the id of the only job that matters, `_` for events about nodes. A webhook is
    disabled by who delivers, for a `reason`; all else is a person's wish.
    """

    id: str
    url: str
    created_ms: int
    types: tuple[str, ...] = ()
    job: str = ""
    credential: str = ""
    state: State = "active"
    reason: str = ""

    @property
    def filters(self) -> list[str]:
        """The subject filters of what it wants."""
        return filters(self.job or None, self.types)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the last event that was not accepted."""

    time_ms: int
    event: str
    job: str
    tries: int
    what: str
    next_ms: int


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far deliveries have come: all up to `position` was accepted, but of the `late` jobs.

    Those have positions of their own. `node` delivers, or cannot for a `problem`. The counts are
    those of tries since it was registered.
    """

    position: int
    late: dict[str, int] = {}
    node: str = ""
    problem: str = ""
    accepted: int = 0
    failed: int = 0
    skipped: int = 0
    last_accepted_ms: int = 0
    failing_since_ms: int | None = None
    last_failure: Failure | None = None


class Ping(msgspec.Struct, frozen=True):
    """A wish for a test, of which the id is the event's."""

    id: str
    time_ms: int


class Pong(msgspec.Struct, frozen=True):
    """What came of a test."""

    id: str
    node: str
    accepted: bool
    what: str
    took_ms: int


def webhook_id(url: str, types: tuple[str, ...], job: str) -> str:
    """Return the id of a registration: what is asked for twice is one webhook."""
    asked = msgspec.json.encode([url, sorted(types), job])
    return hashlib.sha256(asked).hexdigest()[:12]


def read_url(text: str) -> str:
    """Return the URL of a receiver, normalised. Raises WrongUsage for one that cannot be used.

    The bucket can be read by all who may read the log, so a URL must hold no login and no query,
    where services have their keys.
    """
    try:
        url = httpx.URL(text)
        host = url.host
    except (httpx.InvalidURL, UnicodeError, ValueError):
        # Without the cause, which may quote a login.
        raise WrongUsage("the URL cannot be read", hint=_EXAMPLE) from None
    if url.scheme not in {"http", "https"} or not host:
        raise WrongUsage("the URL is not one of http or https", hint=_EXAMPLE)
    if not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
        raise WrongUsage("the URL holds a character that no URL does", hint="percent-encode it")
    if url.port is not None and not 0 < url.port <= PORT_MAX:
        raise WrongUsage(f"the URL has the port {url.port}", hint=_EXAMPLE)
    if len(text) > URL_CHARS_MAX:
        raise WrongUsage(f"the URL has more than {URL_CHARS_MAX:,} characters", hint=_EXAMPLE)
    if url.userinfo or url.query or "?" in text:
        raise WrongUsage(
            "the URL holds a login or a query, which everybody who reads the server could read",
            hint="leave it out: the receiver knows us by the signature (see docs/webhooks.md)",
        )
    if url.fragment or "#" in text:
        raise WrongUsage("the URL has a fragment, which is never sent", hint="leave out the #...")
    return str(url)


def read_credential(text: str) -> str:
    """Return a credential's name. Raises WrongUsage for what can be none, and does not show it."""
    if not CREDENTIAL_NAME.fullmatch(text):
        raise WrongUsage(
            "--credential takes the name of a credential, and that is none",
            hint="a name has a-z, 0-9 and -, up to 40; the secret itself stays with the node",
        )
    return text


def read_webhook(id: str, data: bytes) -> Webhook:
    """Decode a registration, whoever wrote it. Raises LotaError."""
    try:
        webhook = msgspec.json.decode(data, type=Webhook)
        read_url(webhook.url)
        if webhook.id != id or not _usable(webhook):
            raise LotaError("its fields make no sense")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LotaError) as error:
        raise LotaError(
            f"webhook {id} cannot be read: {error}", hint=f"lota webhook rm {id}"
        ) from None
    return webhook


def _usable(webhook: Webhook) -> bool:
    """Whether its filters are those of events, also of a type that this version does not know."""
    job = webhook.job
    return (not job or job == NET or JOB_ID.fullmatch(job) is not None) and all(
        _KIND.fullmatch(kind) for kind in webhook.types
    )


_KIND = re.compile(r"[a-z]{1,40}\.[a-z]{1,40}")
_EXAMPLE = "write https://hooks.example.org/lota"
