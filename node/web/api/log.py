"""Reading the log itself: pages of events, and how far each projection has come."""

from functools import partial
from typing import Any

import msgspec

from events.selection import filters
from node.web.api.asking import LogQuery
from node.web.api.rows import newest, oldest, page
from node.web.api.shared import Api


async def read_log(api: Api, query: LogQuery) -> dict[str, Any]:
    """Read the log, a page at a time: `after` a position the oldest first, else the newest first.

    `next` is given as `after` or `before` again. `job` is an id, or the start of one.
    """
    log = api.observer.log
    last = await api.position(query.as_of) if query.as_of else api.observer.position
    base = await log.base()
    first = base.position + 1 if base is not None else 1
    job = await api.observer.job_id(query.job) if query.job else None
    wanted = filters(job, query.type, query.author)
    if query.after is not msgspec.UNSET:
        after = max(query.after, first - 1)
        read = partial(oldest, log, wanted, after=after, until=last, limit=query.limit)
    else:
        before = last + 1 if query.before is msgspec.UNSET else min(query.before, last + 1)
        read = partial(newest, log, wanted, before=before, first=first, limit=query.limit)
    records, following = await api.read(read)
    return {
        "events": page(records, query.type),
        "first": first,
        "last": last,
        "next": str(following) if following is not None else None,
        "position": last,
    }
