"""Signatures, as others compute them."""

import base64

import pytest

from node.webhooks.signing import delivery_headers, secret_bytes


def test_a_signature_is_that_of_the_specification() -> None:
    """The example that the libraries of Standard Webhooks are tested with gives their signature."""
    key = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = delivery_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, key)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_without_a_key_nothing_is_signed() -> None:
    """The other headers are there all the same."""
    assert delivery_headers("a", 1, b"", None) == {"webhook-id": "a", "webhook-timestamp": "1"}


def test_a_secret_is_text_or_base64() -> None:
    """The prefix decides."""
    raw = bytes(range(24))
    assert secret_bytes("whsec_" + base64.b64encode(raw).decode()) == raw
    assert secret_bytes("x" * 24) == b"x" * 24


@pytest.mark.parametrize("secret", ["", "short-secret", "whsec_", "whsec_!!!!", "whsec_YWJj"])
def test_a_secret_that_cannot_be_used_is_not_shown(secret: str) -> None:
    """One that is short or no base64 is an error that tells neither."""
    with pytest.raises(ValueError) as refused:
        secret_bytes(secret)
    assert len(secret) < 7 or secret[6:] not in str(refused.value)
