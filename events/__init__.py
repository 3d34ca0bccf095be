"""What happened: the vocabulary of a job, its wire format, and the log that keeps it.

For programs that submit jobs and read events, `connect` is where to begin: see docs/python.md. It
is imported when it is first asked for, since much of Lota needs a part of this package only.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from events.client.lota import Lota, connect
    from events.client.outcome import Outcome
    from events.entry import Entry
    from events.spec import JobSpec

__all__ = ["Entry", "JobSpec", "Lota", "Outcome", "connect"]

_HOMES = {
    "Entry": "events.entry",
    "JobSpec": "events.spec",
    "Lota": "events.client.lota",
    "Outcome": "events.client.outcome",
    "connect": "events.client.lota",
}

if not TYPE_CHECKING:

    def __getattr__(name):  # noqa: ANN001, ANN202 - type checkers read the imports above
        """Import what is public when it is asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)
