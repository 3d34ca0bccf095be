"""What this process must not say: the secrets that it has read, wherever they would show up.

Whoever reads a secret tells it to `hide`; what leaves the process as text (errors that go onto the
log, the operator's logs, tracebacks) goes through `redacted`. A secret is also found when it is
percent-encoded, in base64 of any alignment (a login in a header), quoted as Python or JSON do it,
or cut off, as by somebody who shows the first hundred characters of an answer that echoes it.
"""

import base64
import json
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK = "***"
SECRET_CHARS_MIN = 4
"""Shorter ones are left alone: hiding every `1` would leave no text to read."""
BEGINNING_CHARS = 8
"""So much of a secret gives it away: text that goes on as the secret does is hidden with it."""
FORMS_MAX = 4_096

_BASE64_CHARS_MIN = 8
_BASE64_LOST = (0, 2, 3)
"""How many characters of base64 depend on what stands before, by how many bytes that is."""


class Redaction:
    """A set of secrets, and how to take them out of a text. Safe to use from any thread."""

    def __init__(self) -> None:
        self._forms: dict[str, None] = {}
        self._whole: tuple[str, ...] = ()
        self._beginnings: dict[str, tuple[str, ...]] = {}

    def hide(self, *secrets: str) -> None:
        """Take these out of all texts from now on; the oldest of thousands are forgotten."""
        new = [form for secret in secrets for form in _forms(secret) if form not in self._forms]
        if not new:
            return
        forms = {**self._forms, **dict.fromkeys(new)}
        for oldest in list(forms)[: max(0, len(forms) - FORMS_MAX)]:
            del forms[oldest]
        beginnings: dict[str, tuple[str, ...]] = {}
        for form in forms:
            if len(form) > BEGINNING_CHARS:
                beginning = form[:BEGINNING_CHARS]
                beginnings[beginning] = (*beginnings.get(beginning, ()), form)
        # The longest first: one secret may be a part of another.
        whole = tuple(sorted(forms, key=len, reverse=True))
        self._forms, self._whole, self._beginnings = forms, whole, beginnings

    def redacted(self, text: str) -> str:
        """Return the text with `***` for each secret in it."""
        text = self._without(text)
        if "%" in text:
            # Any character may be percent-encoded, and its digits are of either case.
            decoded = unquote(text)
            hidden = self._without(decoded)
            if hidden != decoded:
                return hidden
        return text

    def _without(self, text: str) -> str:
        for form in self._whole:
            if form in text:
                text = text.replace(form, MASK)
        for beginning, forms in self._beginnings.items():
            at = text.find(beginning)
            while at >= 0:
                end = at + max(_common(text, at, form) for form in forms)
                text = text[:at] + MASK + text[end:]
                at = text.find(beginning, at + len(MASK))
        return text


def url_secrets(url: str) -> list[str]:
    """Return what of a URL must not be seen: its login, and what its query says."""
    try:
        words = [word for _, word in parse_qsl(urlsplit(url).query)]
    except ValueError:
        return [url]
    # Not as a parser has it: a password may hold a slash that should have been encoded.
    login = url.rpartition("@")[0].rpartition("://")[2]
    user, _, password = login.partition(":")
    secret = [login, password or user, *words]
    return [form for word in secret if word for form in (word, unquote(word))]


def _common(text: str, at: int, form: str) -> int:
    """Return how many characters of the form stand in the text from there on."""
    length = BEGINNING_CHARS
    end = min(len(form), len(text) - at)
    while length < end and text[at + length] == form[length]:
        length += 1
    return length


def _forms(secret: str) -> set[str]:
    if len(secret) < SECRET_CHARS_MIN:
        return set()
    data = secret.encode(errors="surrogateescape")
    forms = {secret, quote(data, safe=""), quote(data), quote_plus(data)}
    forms |= {repr(secret)[1:-1], json.dumps(secret)[1:-1]}
    for before, lost in enumerate(_BASE64_LOST):
        padded = bytes(before) + data
        kept = len(padded) * 8 // 6
        if kept - lost >= _BASE64_CHARS_MIN:
            forms.add(base64.b64encode(padded).decode()[lost:kept])
            forms.add(base64.urlsafe_b64encode(padded).decode()[lost:kept])
    return forms


_process = Redaction()
hide = _process.hide
redacted = _process.redacted
