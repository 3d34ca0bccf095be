"""`lota stats`: what happened in the network over time."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from events.errors import WrongUsage
from node.cli.output import Form, show_view
from node.cli.recorded import refuse_server
from node.cli.server import Server

if TYPE_CHECKING:
    from node.observer.observer import Observer
    from projections.statistics.series import Series

DEFAULT_SINCE = "7d"
By = Literal["second", "minute", "hour", "day"]
STEPS_MS = {"second": 1_000, "minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
EXAMPLES = "write a time (2026-11-23T09:00:00Z, 2026-11-23) or how long ago (2h)"


async def stats(
    *,
    since: str | None = None,
    until: str | None = None,
    by: By | None = None,
    from_file: Annotated[Path | None, Parameter(name="--from")] = None,
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
    server: Server | None = None,
) -> None:
    """Show what happened in the network: jobs, shards, bids, executions, verdicts, publications
    and failures over time, what waits, what nodes have, and how long each stage took.

    All times are in UTC. The first time reads the whole log; what was read is kept in your cache.

    Example: lota stats --since 24h --by hour

    Parameters
    ----------
    since
        From this time on, or so long ago: 2026-11-23T09:00:00Z, 2026-11-23 or 30d. Default: 7d,
        or when the log begins if that is later.
    until
        Up to this time, or so long ago. Default: now; of a file, its newest event.
    by
        The length of a point. Seconds are kept for 2 hours, minutes for 7 days, hours for 3
        years. Default: one that gives at most 300 points.
    from_file
        Read this export (lota events export) instead of a server.
    output
        `jsonl` prints an object for each point.
    """
    async with _source(from_file, server) as (observer, end_ms):
        until_ms = end_ms if until is None else read_time(until, end_ms)
        if since is None:
            begin_ms = await observer.statistics.first_ms()
            since_ms = max(begin_ms, read_time(DEFAULT_SINCE, until_ms))
        else:
            since_ms = read_time(since, end_ms)
        step_ms = None if by is None else STEPS_MS[by]
        series = await observer.statistics.series(since_ms, until_ms, step_ms)
    show(series, output)


@asynccontextmanager
async def _source(
    file: Path | None, server: Server | None
) -> AsyncIterator[tuple["Observer", int]]:
    """Give an observer that has folded all, and the moment that times are counted back from."""
    from events.clock import now_ms
    from node.cli.observed import caught_up, observed, observing_file

    if file is None:
        async with observed(server) as found:
            yield found.observer, now_ms()
        return
    refuse_server(server)
    async with observing_file(file) as found:
        await caught_up(found.observer)
        yield found.observer, found.observer.statistics.time_ms + 1


def read_time(text: str, end_ms: int) -> int:
    """Return a time in ms since the Unix epoch; how long ago is counted back from `end_ms`.

    Raises WrongUsage for what is no time.
    """
    from events.client.points import read_point
    from events.times import parse_ms

    if text.isdecimal():
        raise WrongUsage(f"{text} is no time", hint=EXAMPLES)
    try:
        return parse_ms(str(read_point(text, end_ms)))
    except WrongUsage as error:
        raise WrongUsage(f"{text!r} is no time", hint=EXAMPLES) from error


def show(series: "Series", output: Form) -> None:
    """Print a series in one of the forms."""
    from node.cli.stats_tables import show_tables

    if output == "jsonl":
        times = series.document()["times"]
        for number, time in enumerate(times):
            point = {name: numbers[number] for name, numbers in series.series.items()}
            print(json.dumps({"time": time, **point}))
    else:
        show_view(series.document(), output, lambda _: show_tables(series))
