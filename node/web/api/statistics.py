"""What happened over time, and how far each projection has come."""

from typing import Any

from events.client.points import read_point
from events.clock import now_ms
from events.times import parse_ms
from events.units import duration_ms
from node.web.api.asking import SeriesQuery
from node.web.api.shared import Api

SINCE = "1h"


async def get_statistics(api: Api, query: SeriesQuery) -> dict[str, Any]:
    """Return series, totals and percentiles of what happened in a span of time.

    `since` and `until` are times, or so long before the moment of `as_of`: by default now, and of
    a log without its network its last event. The span is widened to whole points, of so long each
    (`step`), or so many at most (`points`); what happened after `as_of` is not in the last one, as
    exactly as is kept. Counts are of what happened in a point, gauges of how things stood at its
    end; null is what is not known.
    """
    moment_ms = await _moment_ms(api, query.as_of)
    since_ms = _time_ms(query.since or SINCE, moment_ms)
    until_ms = min(moment_ms, _time_ms(query.until, moment_ms)) if query.until else moment_ms
    end_ms = None
    if query.as_of:
        end_ms = moment_ms
        until_ms = until_ms if query.until else moment_ms + 1  # what happened at it is in it
    step_ms = duration_ms(query.step) if query.step else None
    series = await api.observer.statistics.series(
        since_ms, until_ms, step_ms, max_points=query.points, end_ms=end_ms
    )
    return series.document()


async def list_projections(api: Api) -> list[dict[str, Any]]:
    """List the projections: up to which position each is stored, and how far behind that is."""
    end = api.observer.position + api.observer.lag
    return [
        {
            "name": one.name,
            "version": one.version,
            "position": one.position,
            "lag": end - one.position,
        }
        for one in api.observer.projections()
    ]


async def _moment_ms(api: Api, as_of: str) -> int:
    """Return the time of a point: its own, or that of the event at a position.

    A log without its network has its last event for now: nothing of it is ever newer.
    """
    now = now_ms()
    point = read_point(as_of, now) if as_of else None
    if point is None:
        return now if api.gateway is not None else api.observer.time_ms or now
    if isinstance(point, str):
        return parse_ms(point)
    return (await api.past(as_of)).time_ms


def _time_ms(text: str, moment_ms: int) -> int:
    moment = read_point(text, moment_ms)
    assert isinstance(moment, str), "the pattern admits no position"
    return parse_ms(moment)
