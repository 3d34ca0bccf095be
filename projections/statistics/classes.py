"""The classes of failures: the codes that events give, of which nobody can make more and more."""

import re
from collections.abc import Iterable

from projections.statistics import names

CLASSES_MAX = 100
"""Classes that are told apart in one log, the first that come; beyond it they count as `other`."""
OTHER = "other"

_CODE = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


class Classes:
    """The classes that were met, as the counts are named: `failures.execution.timeout`."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = set(known)

    def name(self, of: str, code: str) -> str:
        """Return the name of the count of failures of a job, an execution or a publication."""
        name = f"{names.FAILURE}{of}.{code}"
        if name in self.known:
            return name
        if not _CODE.fullmatch(code) or len(self.known) >= CLASSES_MAX:
            return f"{names.FAILURE}{of}.{OTHER}"
        self.known.add(name)
        return name
