"""ULIDs: ids that need no coordination and sort by the millisecond they were made in.

Source of the contract: the ULID specification, 48 bits of time and 80 bits of chance in 26 letters
of Crockford's base 32. Two ids of one millisecond are in no order: the log gives order, ids only
tell things apart, so nothing is kept between calls and a fork cannot repeat one.
"""

import os
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_pair = _PAIRS.__getitem__


def new_id() -> str:
    """Return a new ULID in upper case: the id of an event."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10))
    return (
        f"{_pair(value >> 120)}{_pair(value >> 110 & 1023)}{_pair(value >> 100 & 1023)}"
        f"{_pair(value >> 90 & 1023)}{_pair(value >> 80 & 1023)}{_pair(value >> 70 & 1023)}"
        f"{_pair(value >> 60 & 1023)}{_pair(value >> 50 & 1023)}{_pair(value >> 40 & 1023)}"
        f"{_pair(value >> 30 & 1023)}{_pair(value >> 20 & 1023)}{_pair(value >> 10 & 1023)}"
        f"{_pair(value & 1023)}"
    )


def new_job_id() -> str:
    """Return a new ULID in lower case, as it stands in subjects, folders and upload keys."""
    return new_id().lower()
