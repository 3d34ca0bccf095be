"""Knowing a log again by marks that were kept beside what follows from it.

A server that was wiped, another server, and a log that was put back from an older backup each have
something else at a mark, or end before it; a log whose beginning was archived begins behind it.
"""

from typing import Literal

from events.errors import AnotherLog
from events.log import EVERYTHING, Readable, Record
from events.marks import Mark, mark_of

Found = Literal["there", "gone", "differs"]
"""What a log has at a mark: that message, nothing any more as it begins behind it, or something
else, as it does when it ends before it."""


async def look_up(log: Readable, mark: Mark) -> Found:
    """Say what the log has at a mark. Raises LogError."""
    return (await _look_up(log, mark))[0]


async def recognise(
    log: Readable, latest: Mark, anchor: Mark, *, keeps: str, remedy: str
) -> tuple[Found, Mark]:
    """Return what the log has at the latest mark, and the old mark to go on with as the anchor.

    "differs" is for a log that has the anchor: the same log, which has lost its end. When it has
    neither, what is kept (`keeps` says where) belongs to another log: raises AnotherLog, whose hint
    is `remedy`. Raises LogError when the log cannot be read.
    """
    found, first = await _look_up(log, latest)
    if found == "gone":
        return found, latest
    there = await look_up(log, anchor)
    if found == "differs" and there != "there":
        instead = f"has {mark_of(first)}" if first else f"ends at event {await log.last():,}"
        raise AnotherLog(
            f"{keeps} belongs to another log: that one has {latest}, and this one {instead}",
            hint=remedy,
        )
    return found, latest if there == "gone" else anchor


async def _look_up(log: Readable, mark: Mark) -> tuple[Found, Record | None]:
    """Return also the first message from the mark on, if there is any and it was looked for."""
    base = await log.base()
    if base is not None and mark.position <= base.position:
        return "gone", None
    first = await _first_from(log, mark)
    if first is None:
        return "differs", None
    if first.position > mark.position:
        return "gone", first
    return "there" if mark_of(first).digest == mark.digest else "differs", first


async def _first_from(log: Readable, mark: Mark) -> Record | None:
    """Return the first message from a mark on, None if the log ends before it.

    One subject has few messages; all of the log is looked at only when it is not there.
    """
    for subjects in dict.fromkeys((mark.subject, EVERYTHING)):
        async for batch in log.read((subjects,), after=mark.position - 1):
            if batch[0].position == mark.position or subjects == EVERYTHING:
                return batch[0]
            break
    return None
