"""The seal: a running sha256 over a job's events, in log order.

    seal(0)   = 32 zero bytes
    seal(n+1) = sha256(seal(n) || len(subject) as 4 bytes big-endian || subject || body)

It is a chain, so that a checkpoint can carry it and one more event costs one short hash. Anyone
with the stored subjects and bodies can check it; nothing that an import renumbers is in it.
"""

import hashlib

EMPTY = bytes(32)


def extend(seal: bytes, subject: str, body: bytes) -> bytes:
    """Return the seal over one more event, given the seal over those before it."""
    name = subject.encode()
    return hashlib.sha256(seal + len(name).to_bytes(4, "big") + name + body).digest()
