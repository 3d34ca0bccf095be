"""Where HTTP is listened for, who may ask, and under which URL others reach it.

Without a token whoever connects may read, so such a node listens on the loopback interface alone.
There a page in the operator's browser could still ask, by a name of its own that it lets point at
this machine; so a request must then name this machine too.
"""

import ipaddress
import re
import secrets
import socket
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.requests import Request

from events.errors import WrongUsage
from node.config import ServeConfig
from node.redaction import hide

TOKEN_LENGTH_MIN = 16
BACKLOG = 128

TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""What RFC 6750 lets stand behind `Bearer`."""

_LOCAL_NAME = re.compile(
    r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]+)?", re.ASCII | re.IGNORECASE
)


class Listener(NamedTuple):
    """A bound socket, the URL that the log is told, and the token to ask for, "" for none."""

    bound: socket.socket
    url: str
    token: str


def listen(config: ServeConfig) -> Listener:
    """Bind the socket; blocks while a name is looked up.

    Raises `WrongUsage` for an address that cannot be used, one that others reach without a token,
    one of which nobody can tell a URL, and a token that is missing or too short.
    """
    token = read_token(config.token_file) if config.token_file is not None else ""
    bound = bind(config.listen, "--serve-results")
    try:
        host, port = bound.getsockname()[:2]
        address = ipaddress.ip_address(host)
        if not token and not address.is_loopback:
            raise WrongUsage(
                f"{config.listen} can be reached from elsewhere, and there is no token",
                hint="give --results-token-file, or serve on 127.0.0.1",
            )
        if not config.url and address.is_unspecified:
            raise WrongUsage(
                f"{config.listen} is no address that other machines can use",
                hint="say under which they reach this node with --results-url",
            )
        url = _checked_url(config.url) or _url("http", host, port)
    except BaseException:
        bound.close()
        raise
    return Listener(bound, url, token)


def listen_for_pages(text: str, *, scheme: str, open_to_all: bool) -> Listener:
    """Bind the socket of the API and its pages; blocks while a name is looked up.

    `open_to_all` says that there is no token. Raises `WrongUsage` as `listen` does.
    """
    bound = bind(text, "--listen")
    host, port = bound.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if open_to_all and not address.is_loopback:
        bound.close()
        raise WrongUsage(
            f"{text} can be reached from elsewhere, and there is no token",
            hint="give --token-file or LOTA_UI_TOKEN_ADMIN, or listen on 127.0.0.1",
        )
    shown = socket.getfqdn() if address.is_unspecified else host
    return Listener(bound, _url(scheme, shown, port), "")


def read_token_file(path: Path, *, hint: str) -> str:
    """Return what is in a file of tokens; raises `WrongUsage`, which never shows it."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise WrongUsage(f"the token file {path} cannot be read: {why}", hint=hint) from None


def read_token(path: Path) -> str:
    """Return the token in a file; raises `WrongUsage`, which never shows what stands in it."""
    token = read_token_file(path, hint="write one line into it").strip()
    if len(token) < TOKEN_LENGTH_MIN or not TOKEN.fullmatch(token):
        raise WrongUsage(
            f"the token file {path} holds no token of {TOKEN_LENGTH_MIN} characters or more",
            hint=f"make one: openssl rand -hex 32 >{path}",
        )
    hide(token)
    return token


def admitted(request: Request, token: str) -> bool:
    """Return whether a request may be answered; takes the same time for every wrong token."""
    if not token:
        return is_local_name(request.headers.get("host", ""))
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    same = secrets.compare_digest(given.strip().encode("latin-1"), token.encode())
    return scheme.lower() == "bearer" and same


def is_local_name(host: str) -> bool:
    """Return whether a `Host` header names this machine from within."""
    return _LOCAL_NAME.fullmatch(host) is not None


def _split(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise WrongUsage(f"{text!r} is not HOST:PORT", hint="write 127.0.0.1:8470 or [::1]:8470")
    return host.removeprefix("[").removesuffix("]"), int(port)


def bind(text: str, option: str) -> socket.socket:
    """Bind and listen on HOST:PORT, which an option gave; raises `WrongUsage`."""
    host, port = _split(text)
    place = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise WrongUsage(
            f"{place} cannot be listened on: {error.strerror}", hint=f"choose another {option}"
        ) from error
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(BACKLOG)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise WrongUsage(
            f"{place} cannot be listened on: {error.strerror}", hint=f"choose another {option}"
        ) from error
    return bound


def _url(scheme: str, host: str, port: int) -> str:
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def _checked_url(url: str) -> str:
    """Return the URL without a slash at its end; it goes on the log, so it holds no secret."""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise WrongUsage("--results-url is no http or https URL of a host", hint="leave users out")
    if parts.query or parts.fragment:
        raise WrongUsage("--results-url has a query or fragment", hint="leave it out")
    return url.rstrip("/")
