"""The one place that asks what time it is; everything else is given the time.

It is the wall clock, since deadlines stand in events and outlive processes and machines.
"""

import time


def now_ms() -> int:
    """Return milliseconds since the Unix epoch."""
    return time.time_ns() // 1_000_000
