"""Which server a client talks to, and contexts: servers and credentials under names.

What is named outright wins, then `LOTA_SERVER`, the context in use, and the server of this machine.
Credentials come from a context or stand in the URL; those of a context are sent to its own server
only.

Contexts lie in `$XDG_CONFIG_HOME/lota/contexts/NAME.toml`, readable by their owner only, and may be
edited by hand. `$XDG_CONFIG_HOME/lota/context` holds the name of the one in use.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from events.errors import LotaError, NotFound

DEFAULT_SERVER = "nats://127.0.0.1:4222"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server and how to be admitted to it; `creds` is the path of a `.creds` file."""

    server: str
    user: str = ""
    password: str = ""
    token: str = ""
    creds: str = ""

    @property
    def creds_path(self) -> str | None:
        """Where the `.creds` file lies, `~` filled in; None without one."""
        return os.path.expanduser(self.creds) or None


class Found(NamedTuple):
    """A server and how it was found, for people who wonder which it is."""

    context: Context
    how: str


class ContextFiles:
    """The context files of one user, found by the variables of `environ`."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        home = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        self._folder = Path(home, "lota", "contexts")
        self._choice = Path(home, "lota", "context")

    def names(self) -> list[str]:
        """Return the names of all contexts, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.toml"))

    def chosen(self) -> str:
        """Return the name of the context in use, "" when none is."""
        try:
            return self._choice.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return ""

    def load(self, name: str) -> Context:
        """Return a context. Raises NotFound, and LotaError for a file that cannot be read."""
        path = self._path(name)
        try:
            return msgspec.toml.decode(path.read_bytes(), type=Context)
        except FileNotFoundError:
            raise NotFound(
                f"there is no context {name!r}",
                hint=f"use one of: {', '.join(self.names()) or 'none yet, see lota context save'}",
            ) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise LotaError(f"{path} is no context: {error}", hint="mend or remove it") from None

    def save(self, name: str, context: Context) -> Path:
        """Write a context, in place of one of that name, and return its file."""
        path = self._path(name)
        lines = [
            f"{field} = {_quoted(value)}\n"
            for field, value in msgspec.structs.asdict(context).items()
            if value
        ]
        self._folder.mkdir(parents=True, exist_ok=True)
        _write_private(path, "".join(lines))
        return path

    def use(self, name: str) -> None:
        """Choose the context that is used from now on. Raises NotFound."""
        self.load(name)
        _write_private(self._choice, f"{name}\n")

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise LotaError(
                f"{name!r} is no name for a context", hint="use up to 40 letters, digits, - and _"
            )
        return self._folder / f"{name}.toml"


def find_server(
    server: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Found:
    """Return the server to use: that of the URL `server`, else that of `context`, else the usual.

    Raises NotFound for a context that does not exist.
    """
    files = ContextFiles(environ)
    if server:
        return Found(Context(server=server), "by --server")
    if context:
        return Found(files.load(context), f"by --context {context}")
    if environ.get("LOTA_SERVER"):
        return Found(Context(server=environ["LOTA_SERVER"]), "by LOTA_SERVER")
    if chosen := files.chosen():
        return Found(files.load(chosen), f"by the context {chosen}")
    return Found(Context(server=DEFAULT_SERVER), "by default")


def _quoted(value: str) -> str:
    """Return a TOML basic string, which JSON's is too but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write_private(path: Path, text: str) -> None:
    """Replace a file as a whole: a crash leaves the old one or the new one."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)
