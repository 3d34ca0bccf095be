"""Find a small plan that breaks the same invariant, and tell its story."""

import re
import time
import traceback
from collections.abc import Iterator

import msgspec

from events.entry import read_entry
from events.errors import EventError
from events.subjects import NET
from tests.simulation.checker import Violation
from tests.simulation.faults import KINDS, without
from tests.simulation.world import Plan, World

JOBS_TRIED = 100
"""Jobs played for each smaller plan, under one seed after the other: taking something away changes
every draw behind it."""
SHRINK_S = 45.0
"""How long to look for a shorter story."""
DATA_SHOWN_MAX = 300


class Failure(msgspec.Struct, frozen=True):
    """A plan that broke an invariant: `what` says which, `where` the details."""

    plan: Plan
    what: str
    where: str
    log: list[str]


def play(plan: Plan) -> tuple[World, Failure | None]:
    """Run a plan; return the world as it ended, and the failure if there was one."""
    world = World(plan)
    try:
        world.run()
    except Violation as violation:
        return world, Failure(plan, violation.what, str(violation), story(world, str(violation)))
    except Exception as error:  # noqa: BLE001 - whatever the core raises is a finding
        where = traceback.format_exc(limit=-4)
        return world, Failure(plan, type(error).__name__, where, story(world, where))
    return world, None


def shrink(failure: Failure) -> Failure:
    """Take away processes, jobs and kinds of faults as long as the same invariant breaks."""
    until_s = time.monotonic() + SHRINK_S
    smaller = _smaller(failure.plan)
    while time.monotonic() < until_s and (plan := next(smaller, None)) is not None:
        found = _again(plan, failure)
        if found is not None:
            failure, smaller = found, _smaller(found.plan)
    return failure


def _again(plan: Plan, failure: Failure) -> Failure | None:
    for step in range(1 + JOBS_TRIED // plan.jobs):
        _, found = play(msgspec.structs.replace(plan, seed=plan.seed + step))
        if found is not None and found.what == failure.what and len(found.log) < len(failure.log):
            return found
    return None


def _smaller(plan: Plan) -> Iterator[Plan]:
    replace = msgspec.structs.replace
    for jobs in (1, plan.jobs // 4, plan.jobs // 2, plan.jobs - 1):
        if 0 < jobs < plan.jobs:
            yield replace(plan, jobs=jobs)
    if plan.trouble_ms > 1_000:
        yield replace(plan, trouble_ms=plan.trouble_ms // 2)
    for requesters in (1, 2):
        if not plan.requesters or requesters < plan.requesters:
            yield replace(plan, requesters=requesters)
    for nodes in (2, 3, 4):
        if not plan.nodes or nodes < plan.nodes:
            yield replace(plan, nodes=nodes)
    for kind in KINDS:
        if getattr(plan.faults, kind):
            yield replace(plan, faults=without(plan.faults, kind))


def story(world: World, where: str) -> list[str]:
    """Return the log as lines; only of the jobs that the failure names, if it names any."""
    lines: list[str] = []
    jobs = set(re.findall(r"\bjob[0-9]+", where))
    for record in world.wire.log._records:
        if jobs and record.subject.split(".")[3] not in (*jobs, NET):
            continue
        who = ".".join(record.subject.split(".")[3:])
        try:
            event = read_entry(record).event
            data = msgspec.json.encode(event.data).decode()[:DATA_SHOWN_MAX]
            lines.append(f"{record.position:5} {event.time[14:23]} {who} {event.id} {data}")
        except EventError:
            lines.append(f"{record.position:5} {'':9} {who} {record.body[:40]!r}")
    return lines
