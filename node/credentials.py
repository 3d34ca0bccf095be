"""Credentials of a node: a job names one, and only the node knows what it is.

A credential is a name and some fields. A field is a variable `LOTA_CRED_<NAME>_<FIELD>`, a file
that the variable `LOTA_CRED_<NAME>_<FIELD>_FILE` names, or a file `<folder>/<name>/<field>`, as
Kubernetes mounts a Secret; a variable goes before the folder. Values are read anew whenever
something is published, so a file that is replaced counts from the next publication on; names are
told to the network when the node joins.
"""

import logging
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from events.errors import PublishError
from events.spec import CREDENTIAL_NAME
from node.own_environment import conceal, take_variables
from node.redaction import hide, url_secrets

PREFIX = "LOTA_CRED_"
SECRET_FIELDS = frozenset(
    {"access_key_id", "secret_access_key", "session_token", "token", "api_info", "secret"}
)
URL_FIELDS = frozenset({"endpoint", "url", "gateway"})
"""They may hold a login, which is a secret, beside what everybody may know."""
FIELDS = frozenset(
    {
        *SECRET_FIELDS,
        *URL_FIELDS,
        "region",
        "executable",
        "miner",
        "price",
        "duration",
        "wallet",
        "folder",
        "path",
        "wait_for",
    }
)
VALUE_BYTES_MAX = 64 * 1024

_FILE = "_FILE"
_SWAPPED = "..data"
"""Kubernetes replaces all files of a Secret at once by turning this link."""

log = logging.getLogger(__name__)


def take_credentials(folder: Path | None = None) -> "Credentials":
    """Return the credentials of this process's operator, which nobody else gets to see.

    Their variables are gone from the environment afterwards, and all others are concealed from
    other processes. `folder` is by default
    `lota/credentials` below the user's configuration. Raises PublishError for variables that make
    no sense and for a folder that is not there.
    """
    if folder is None:
        home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        folder = Path(home, "lota", "credentials")
    elif not folder.is_dir():
        raise _unusable(f"the folder {folder}", "it is not there", hint="make it, or name another")
    variables = take_variables(PREFIX)
    conceal()
    return Credentials(variables, folder)


class Credentials:
    """The credentials of one node; reading them blocks, so it belongs in a thread.

    `variables` are those that start with `LOTA_CRED_`. What is wrong with them, or with a file,
    raises PublishError `credential`, which names the variable or the file and never the value.
    """

    def __init__(
        self, variables: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self.folder = folder
        self.variables = dict(variables or {})
        self._sources = _sources(self.variables)
        self._warned: set[str] = set()

    def names(self) -> tuple[str, ...]:
        """Return the names of all credentials, sorted; each has been read once."""
        names = {*self._sources, *self._folders()}
        return tuple(sorted(name for name in names if self._fields(name)))

    def read(self, name: str) -> dict[str, str]:
        """Return the fields of a credential that have a value, as they are right now."""
        fields = self._fields(name) if CREDENTIAL_NAME.fullmatch(name) else {}
        if not fields:
            raise PublishError(
                "credential",
                f"this node has no credential {name!r}",
                permanent=True,
                hint=f"its operator gives it by {PREFIX}... variables or a folder of files",
            )
        return fields

    def _fields(self, name: str) -> dict[str, str]:
        fields = self._in_folder(name)
        for field, (variable, text) in self._sources.get(name, {}).items():
            fields[field] = (
                self._content(text, f"the file {text}, which {variable} names,")
                if variable.endswith(_FILE)
                else text
            )
        fields = {field: value for field, value in fields.items() if value}
        for field, value in fields.items():
            hide(*_secrets(field, value))
        return fields

    def _folders(self) -> list[str]:
        """Return the names that have a folder."""
        if self.folder is None:
            return []
        try:
            with os.scandir(self.folder) as entries:
                found = [it.name for it in entries if it.is_dir() and not it.name.startswith(".")]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _unusable(f"the folder {self.folder}", error.strerror) from None
        for name in found:
            if not CREDENTIAL_NAME.fullmatch(name):
                raise _unusable(
                    f"the folder {self.folder / name}",
                    "its name is none for a credential",
                    hint="use a-z, 0-9 and -, up to 40 characters",
                )
        return found

    def _in_folder(self, name: str) -> dict[str, str]:
        if self.folder is None:
            return {}
        folder = self.folder / name
        swapped = folder / _SWAPPED
        try:
            if swapped.is_symlink():
                folder = swapped.resolve()
            found = sorted(file for file in os.listdir(folder) if not file.startswith("."))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise _unusable(f"the folder {folder}", error.strerror) from None
        for field in found:
            if field not in FIELDS:
                raise _unusable(
                    f"the file {self.folder / name / field}",
                    "there is no such field",
                    hint=f"the fields are {', '.join(sorted(FIELDS))}",
                )
        return {
            field: self._content(str(folder / field), f"the file {self.folder / name / field}")
            for field in found
        }

    def _content(self, path: str, where: str) -> str:
        try:
            # Not waiting: a pipe would keep the thread for ever.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                status = os.fstat(file.fileno())
                data = file.read(VALUE_BYTES_MAX + 1) if stat.S_ISREG(status.st_mode) else None
        except OSError as error:
            raise _unusable(where, error.strerror) from None
        if data is None:
            raise _unusable(where, "it is no regular file")
        if len(data) > VALUE_BYTES_MAX:
            raise _unusable(where, f"it has more than {VALUE_BYTES_MAX:,} bytes")
        if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO) and where not in self._warned:
            self._warned.add(where)
            log.warning("%s can be read by others than its owner: chmod 600 keeps it", where)
        try:
            return data.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise _unusable(where, "it is no text in UTF-8") from None


def _sources(variables: Mapping[str, str]) -> dict[str, dict[str, tuple[str, str]]]:
    """Return (variable, its text) by credential and field."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for variable, text in sorted(variables.items()):
        name, field = _parsed(variable)
        fields = found.setdefault(name, {})
        if field in fields:
            raise _unusable(
                variable, f"{fields[field][0]} says the same", hint="set one of the two"
            )
        fields[field] = (variable, text)
    return found


def _parsed(variable: str) -> tuple[str, str]:
    """Return the name and the field that a variable is about: the longest field that fits."""
    body = variable.removeprefix(PREFIX).removesuffix(_FILE)
    for field in sorted(FIELDS, key=len, reverse=True):
        name = body.removesuffix(f"_{field.upper()}")
        if name != body and re.fullmatch(r"[A-Z0-9][A-Z0-9_]*", name):
            name = name.lower().replace("_", "-")
            if CREDENTIAL_NAME.fullmatch(name):
                return name, field
    raise _unusable(
        variable,
        "it does not end in a field of a credential",
        hint=f"write {PREFIX}<NAME>_<FIELD>; the fields are {', '.join(sorted(FIELDS))}",
    )


def _secrets(field: str, value: str) -> list[str]:
    """Return what of a field's value must not be seen."""
    if field == "api_info":
        return [value, value.partition(":")[0]]
    if field == "secret":
        return [value, value.removeprefix("whsec_")]
    if field in SECRET_FIELDS:
        return [value]
    return url_secrets(value) if field in URL_FIELDS else []


def _unusable(
    what: str, why: str | None, *, hint: str = "mend it, or take it away"
) -> PublishError:
    return PublishError("credential", f"{what} cannot be used: {why}", hint=hint)
