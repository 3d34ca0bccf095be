"""Taking secrets out of texts."""

import base64
import json
from urllib.parse import quote

import pytest

from node.redaction import BEGINNING_CHARS, MASK, Redaction, url_secrets

SECRET = 's3cr+t/of ünïque="length"&more'


@pytest.fixture
def redaction() -> Redaction:
    made = Redaction()
    made.hide(SECRET)
    return made


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote(SECRET).lower(),
        "".join(f"%{byte:02x}" for byte in SECRET.encode()),
        f"https://host/?key={quote(SECRET)}&other=1",
        repr({"Authorization": f"Bearer {SECRET}"}),
        json.dumps({"token": SECRET}),
        SECRET * 3,
    ],
)
def test_a_secret_is_hidden_as_it_is_written(redaction: Redaction, shown: str) -> None:
    """Raw, percent-encoded, quoted and repeated, no part of it is left."""
    text = redaction.redacted(f"before {shown} after")
    assert MASK in text
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert SECRET[:6] not in text
    assert "length" not in text


@pytest.mark.parametrize("before", ["", "u", "us", "user:", "user-1:"])
def test_a_secret_is_hidden_in_base64(redaction: Redaction, before: str) -> None:
    """Wherever it begins within the bytes that are encoded, what is left does not decode to it."""
    shown = base64.b64encode(f"{before}{SECRET}:after".encode()).decode()
    assert MASK in redaction.redacted(f"Basic {shown}")
    assert shown[8:-12] not in redaction.redacted(shown)


def test_a_secret_that_was_cut_off_is_hidden() -> None:
    """As much as there is of it goes, from eight characters on."""
    redaction = Redaction()
    redaction.hide("abcdefghijklmnop", "abcdefgh12345678")
    assert redaction.redacted("x abcdefghijkl") == "x ***"
    assert redaction.redacted("abcdefgh1234 y") == "*** y"
    assert redaction.redacted("abcdefg") == "abcdefg"


def test_a_part_of_another_secret_hides_no_less() -> None:
    """Where one secret stands inside another, the longer one goes as a whole."""
    redaction = Redaction()
    redaction.hide("word", "passwords-are-long")
    assert redaction.redacted("passwords-are-long, word") == "***, ***"


def test_ordinary_text_is_left_alone(redaction: Redaction) -> None:
    """Nothing else changes, and a secret too short to be one hides nothing."""
    redaction.hide("", "a", "abc")
    text = "a bucket, abc, and s3 in 3 regions"
    assert redaction.redacted(text) == text
    assert len(SECRET) > BEGINNING_CHARS


def test_the_secrets_of_a_url_are_its_login_and_query() -> None:
    """A user without a password is a token; encoded ones are known decoded too."""
    assert set(url_secrets("https://ann:p%40ss@host/path?key=k%2F1")) == {
        "ann:p%40ss",
        "ann:p@ss",
        "p%40ss",
        "p@ss",
        "k/1",
    }
    assert "a/b" in url_secrets("https://ann:a/b@host/")
    assert url_secrets("nats://token@host:4222") == ["token"] * 4
    assert url_secrets("https://host:1/path") == []
