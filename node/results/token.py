"""The token for results that nodes serve over HTTP, as their readers give it."""

from collections.abc import Mapping
from pathlib import Path

from events.errors import LotaError
from node.redaction import hide

TOKEN_VARIABLE = "LOTA_RESULTS_TOKEN"  # noqa: S105 - the name of the variable, not the token
TOKEN_FILE_VARIABLE = "LOTA_RESULTS_TOKEN_FILE"  # noqa: S105 - as above


def results_token(environ: Mapping[str, str]) -> str | None:
    """Return the token for results that nodes serve, from its variable or the file it names.

    None when there is none. Raises LotaError for a file that cannot be read; blocks.
    """
    path = environ.get(TOKEN_FILE_VARIABLE)
    try:
        token = Path(path).read_text("utf-8").strip() if path else environ.get(TOKEN_VARIABLE)
    except (OSError, UnicodeDecodeError) as error:
        raise LotaError(
            f"the token in {path} cannot be read ({type(error).__name__})",
            hint=f"{TOKEN_FILE_VARIABLE} names a file with the token alone, on one line",
        ) from error
    hide(token or "")
    return token or None
