"""The headers of a delivery, as the Standard Webhooks specification has them.

Source of the contract: Standard Webhooks 1.0.0. What is signed is `<id>.<timestamp>.<body>`, by
HMAC-SHA256 under the secret that sender and receiver share; `whsec_` before a secret says that it
is base64.
"""

import base64
import binascii
import hashlib
import hmac

SECRET_BYTES_MIN = 24
_ENCODED = "whsec_"


def secret_bytes(secret: str) -> bytes:
    """Return the key that a secret stands for. Raises ValueError, which does not show it."""
    try:
        encoded = secret.startswith(_ENCODED)
        key = base64.b64decode(secret[len(_ENCODED) :], validate=True) if encoded else b""
        key = key if encoded else secret.encode()
    except (binascii.Error, ValueError):
        raise ValueError(f"what stands behind {_ENCODED} is no base64") from None
    if len(key) < SECRET_BYTES_MIN:
        raise ValueError(f"it has {len(key)} bytes, and at least {SECRET_BYTES_MIN} are needed")
    return key


def delivery_headers(id: str, timestamp_s: int, body: bytes, key: bytes | None) -> dict[str, str]:
    """Return the headers of one try; without a key it is not signed.

    A repeat has the same id and a timestamp of its own.
    """
    headers = {"webhook-id": id, "webhook-timestamp": str(timestamp_s)}
    if key is not None:
        signed = b"%s.%d.%s" % (id.encode(), timestamp_s, body)
        digest = hmac.new(key, signed, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers
