"""One connection to a NATS server, with the settings that a long-lived process needs.

nats-py's defaults try for two minutes when the address or the credentials are wrong, and notice a
dead peer after four. Here the first connection fails at once, and a lost one comes back for ever.
"""

import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache

from nats.aio.client import Client
from nats.errors import Error as NatsError

from events.errors import LogUnavailable, NotAdmitted

CONNECT_TIMEOUT_S = 5
PING_INTERVAL_S = 10
RECONNECT_WAIT_S = 0.25
PENDING_BYTES = 4 * 1024 * 1024
"""What may wait for the socket, also while the server is away; above it publishing fails."""

log = logging.getLogger(__name__)


class FastClient(Client):
    """nats-py's client, which spends a third of the time of reading a log on header names.

    The method is not part of its API: a release without it is as slow as before, and no less right.
    """

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """Return the headers of a block of lines, exactly as nats-py does."""
        headers: dict[str, str] = {}
        for line in raw.split(b"\r\n"):
            name, colon, value = line.partition(b":")
            if colon and (key := _header_name(name)) is not None:
                headers[key] = value.strip().decode("utf-8", "replace")
        return headers


@lru_cache(maxsize=256)
def _header_name(name: bytes) -> str | None:
    try:
        key = name.strip().decode("ascii")
    except UnicodeDecodeError:
        return None
    return None if any(character.isspace() for character in key) else key


class _Errors:
    """Logs what nats-py reports, and ends a first connection that cannot succeed.

    nats-py calls `report` also inside its read loop, so there it must be quick and must not raise.
    """

    def __init__(self, url: str, servers: int) -> None:
        self.connecting = True
        self._url = url
        self._untried = servers

    async def report(self, error: Exception) -> None:
        self._untried -= 1
        if self.connecting and self._untried <= 0:
            raise _unavailable(self._url, error)
        log.debug("nats: %s", _reason(error))


async def connect(
    url: str,
    *,
    name: str,
    user: str | None = None,
    password: str | None = None,
    token: str | None = None,
    credentials: str | None = None,
    tls: ssl.SSLContext | None = None,
    on_disconnect: Callable[[], None] | None = None,
    on_reconnect: Callable[[], None] | None = None,
) -> Client:
    """Connect to the server at `url` (several are separated by commas) as `name`.

    `name` is also the prefix of the inboxes, so that a server can hold a node to its own.
    `credentials` is the path of a `.creds` file. `on_disconnect` is called whenever the connection
    is lost, and `on_reconnect` when it is there again. Raises `LogUnavailable` when no server can
    be reached or admits us.
    """
    servers = [server.strip() for server in url.split(",")]
    client = FastClient()
    errors = _Errors(url, len(servers))

    def lost() -> None:
        if on_disconnect is not None and not client.is_closed:
            on_disconnect()

    try:
        await client.connect(
            servers=servers,
            name=name,
            user=user,
            password=password,
            token=token,
            user_credentials=credentials,
            tls=tls,
            inbox_prefix=f"_INBOX_{re.sub(r'[^A-Za-z0-9_-]', '-', name)}",
            connect_timeout=CONNECT_TIMEOUT_S,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # type: ignore[arg-type] # it sleeps that long
            ping_interval=PING_INTERVAL_S,
            pending_size=PENDING_BYTES,
            error_cb=errors.report,
            disconnected_cb=_awaitable(lost),
            reconnected_cb=_awaitable(on_reconnect),
        )
    except (OSError, ValueError, NatsError) as error:
        raise _unavailable(url, error) from error
    finally:
        errors.connecting = False
        if not client.is_connected:
            with suppress(
                AssertionError
            ):  # the address was so wrong that there is nothing to close
                await client.close()
    return client


def without_login(url: str) -> str:
    """Return the addresses of a URL, for people: a name, password or token in it is left out."""
    return re.sub(r"//[^,]*@", "//", url)


def _awaitable(call: Callable[[], None] | None) -> Callable[[], Awaitable[None]]:
    async def called() -> None:
        if call is not None:
            call()

    return called


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _unavailable(url: str, error: Exception) -> LogUnavailable:
    reason = _reason(error)
    address = without_login(url)
    if "uthorization" in reason:
        return NotAdmitted(
            f"the server at {address} refused the credentials", hint="check user, token or .creds"
        )
    return LogUnavailable(
        f"no NATS server answers at {address} ({reason})",
        hint="start one with `nats-server -c nats.conf` or `lota dev`, or set LOTA_SERVER",
    )
