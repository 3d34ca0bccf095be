"""How many connections there is room for among the files that this process may have open.

A process that has no more of them can accept nobody, open no database and find no peer, so the
limit is raised as far as that goes, and connections end before it.
"""

import resource

KEPT_FREE = 300
"""For databases, other servers, and connections that are accepted and not yet counted."""


def room(wanted: int, besides: int = 0) -> int:
    """Return how many connections may be served, so many at most, and as many again cut off.

    Others take up to so many files `besides`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = raised(soft, hard, 2 * wanted + besides + KEPT_FREE)
    if limit != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return min(wanted, served(limit, besides))


def raised(soft: int, hard: int, needed: int) -> int:
    """Return the limit to have: what is needed, or as much of it as there can be."""
    if resource.RLIM_INFINITY in {soft, hard}:
        return soft if soft == resource.RLIM_INFINITY else max(soft, needed)
    return max(soft, min(hard, needed))


def served(limit: int, besides: int = 0) -> int:
    """Return how many connections fit below a limit, with as many again, and others besides."""
    if limit == resource.RLIM_INFINITY:
        return 2**31
    return max(1, (limit - besides - KEPT_FREE) // 2)
