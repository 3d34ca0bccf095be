"""`lota replay`: the network, a node or a job as it was at a point of the log, and how it came."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from events.errors import NotFound, WrongUsage
from node.cli import exits
from node.cli.doors import Serving
from node.cli.output import Form, note, show_view
from node.cli.recorded import Recorded, named_job, point, recorded, records_until
from node.cli.server import Server

if TYPE_CHECKING:
    from projections.steps import Step, Walk


async def replay(
    *,
    until_position: int | None = None,
    until_time: str | None = None,
    job: str | None = None,
    node: str | None = None,
    shard: int | None = None,
    closed: Annotated[bool, Parameter(negative=())] = False,
    step: Annotated[bool, Parameter(negative=())] = False,
    check: Annotated[bool, Parameter(negative=())] = False,
    what_if: Annotated[list[str] | None, Parameter(negative=())] = None,
    from_file: Annotated[Path | None, Parameter(name="--from")] = None,
    serve: Annotated[bool, Parameter(negative=())] = False,
    output: Annotated[Form, Parameter(name=["--output", "-o"])] = "table",
    serving: Serving | None = None,
    server: Server | None = None,
) -> int:
    """Show the network, a node or a job as it was at a point of the log, or how it came there.

    With --check, decide everything again. Exits with 1 when a decision would differ. With --from
    and --serve, look at it in a browser, as lota ui does at a server.

    Example: lota replay --job 01kb2m --until-time "2h ago"

    Parameters
    ----------
    until_position
        Stop behind this position of the log; the end is where it stops by itself.
    until_time
        Stop before what the server stored later: 2026-11-23T09:00:00Z, 2026-11-23 or "2h ago".
    job
        Show this job: its id, or the start of it.
    node
        Show this node.
    shard
        Of a job's timeline, show this shard alone.
    closed
        List closed jobs as well, instead of counting them.
    step
        Show event by event what each changed, and why it came. On a terminal: Enter shows the
        next, b goes back, /JOB goes on to a job, q ends; elsewhere all are printed.
    check
        Let today's code decide again what was decided, of all or of --job, by the rules of then,
        and show the first decision that would differ.
    what_if
        Decide it again by another number of the policy (over_ask=3; several: again or by commas),
        and show how placement and messages would have changed.
    from_file
        Read this export (lota events export) instead of a server.
    serve
        Serve the dashboard of the export until Ctrl-C, and print its URL.
    output
        `jsonl` prints the whole as one line, or each step as one.
    """
    until = until_position is not None or until_time is not None
    asked = _Asked(job, node, shard, closed, step, check, what_if or [], output, until)
    _refuse(asked)
    if serve:
        await _serve(from_file, asked, serving)
        return exits.OK
    async with recorded(from_file, server) as source:
        last = await point(source, until_position, until_time)
        if check or what_if:
            return await _again(source, last, asked)
        await _past(source, last, asked)
    return exits.OK


class _Asked(NamedTuple):
    """What is to be shown."""

    job: str | None
    node: str | None
    shard: int | None
    closed: bool
    step: bool
    check: bool
    what_if: list[str]
    output: Form
    until: bool

    @property
    def beyond_a_job(self) -> bool:
        """Whether more is asked for than a job."""
        about = self.node, self.closed, self.step, self.check, self.what_if, self.until
        return any(about) or self.shard is not None or self.output != "table"


async def _serve(file: Path | None, asked: _Asked, serving: Serving | None) -> None:
    """Serve the dashboard of an export."""
    from node.cli.doors import open_door, serve_until_interrupted
    from node.cli.observed import observing_file
    from node.jobs import find_job

    if file is None:
        raise WrongUsage("--serve is about a file", hint="give --from; lota ui serves a server's")
    if asked.beyond_a_job:
        raise WrongUsage("--serve shows all there is", hint="besides --from it goes with --job")
    door = await open_door(serving)
    async with observing_file(file) as found:
        name = await find_job(found.observer.log, asked.job) if asked.job else ""
        await serve_until_interrupted(found, door, show=door.page(name))


async def _again(source: Recorded, last: int, asked: _Asked) -> int:
    from node.cli.deciding_again import check_decisions, suppose

    if asked.check:
        return await check_decisions(source, asked.job, last, asked.output)
    await suppose(source, asked.job, last, asked.output, asked.what_if)
    return exits.OK


async def _past(source: Recorded, last: int, asked: _Asked) -> None:
    if asked.job is None and source.first > 1:
        note(f"lota: the log begins at position {source.first}; jobs of before are not shown")
    if asked.step:
        await _steps(source, asked.job, asked.node, last, asked.output)
    elif asked.job is not None:
        await _job(source, asked.job, asked.shard, last, asked.output)
    elif asked.node is not None:
        await _node(source, asked.node, last, asked.output)
    else:
        await _network(source, last, asked.output, closed=asked.closed)


def _refuse(asked: _Asked) -> None:
    """Refuse options that do not go together."""
    job, node, shard = asked.job is not None, asked.node is not None, asked.shard is not None
    if job and node:
        raise WrongUsage("--job and --node are both given", hint="give one of them")
    if shard and (not job or asked.step):
        raise WrongUsage("--shard is about a job's timeline", hint="give --job, without --step")
    if asked.closed and (job or node or asked.step):
        raise WrongUsage("--closed is about the network", hint="leave out --job, --node and --step")
    if asked.step and asked.output in ("json", "yaml"):
        raise WrongUsage(
            f"steps have no form {asked.output}", hint="use -o jsonl, an object a line"
        )
    if asked.check and asked.what_if:
        raise WrongUsage("--check and --what-if are both given", hint="give one of them")
    if (asked.check or asked.what_if) and (node or shard or asked.closed or asked.step):
        raise WrongUsage(
            f"{'--check' if asked.check else '--what-if'} is about decisions",
            hint="it goes with --job, --until-position, --until-time and --from",
        )
    if asked.what_if:
        from node.cli.deciding_again import read_numbers

        read_numbers(asked.what_if)


async def _steps(
    source: Recorded, job: str | None, node: str | None, last: int, output: Form
) -> None:
    from node.cli.stepping import show_steps
    from projections.base import begin
    from projections.steps import Walk
    from projections.travel import Travel

    name = await named_job(source, job) if job is not None else ""
    walk = Walk(Travel(begin(source.base), keep=name), job=name, node=node or "")
    async with aclosing(_walked(source, name, last, walk)) as steps:
        await show_steps(steps, as_lines=output == "jsonl")


async def _walked(
    source: Recorded, job: str, last: int, walk: "Walk"
) -> AsyncGenerator["Step", None]:
    told = False
    async with aclosing(records_until(source, last, of_job(job))) as batches:
        async for records in batches:
            for record in records:
                step = walk.take(record)
                if step is not None:
                    told = True
                    yield step
    if not told:
        raise NotFound(
            f"no event up to position {last} is about it", hint="lota replay shows what was there"
        )


def of_job(job: str) -> tuple[str, ...]:
    """Return the filters for one job and the nodes, or for everything."""
    from events.subjects import EVERYTHING, NODES, job_events

    return (job_events(job), NODES) if job else (EVERYTHING,)


async def _network(source: Recorded, last: int, output: Form, *, closed: bool) -> None:
    from node.cli.replay_views import show_network
    from projections.base import begin
    from projections.travel import Travel, network_view

    travel = Travel(begin(source.base), list_closed=closed)
    async for records in records_until(source, last):
        for record in records:
            travel.fold(record)
    show_view(network_view(travel), output, show_network)


async def _node(source: Recorded, name: str, last: int, output: Form) -> None:
    from node.cli.replay_views import show_node
    from projections.base import begin
    from projections.travel import Travel, node_state_view

    travel = Travel(begin(source.base))
    async for records in records_until(source, last):
        for record in records:
            travel.fold(record)
    node = travel.network.nodes.members.get(name)
    if node is None:
        names = ", ".join(sorted(travel.network.nodes.members)) or "none"
        raise NotFound(
            f"no node {name} had joined by position {last}", hint=f"those that had: {names}"
        )
    show_view(node_state_view(travel, node), output, show_node)


async def _job(source: Recorded, text: str, shard: int | None, last: int, output: Form) -> None:
    from node.cli.replay_views import show_past_job
    from node.jobs import shard_indexes
    from projections.base import begin
    from projections.job_fold import JobFold
    from projections.lanes import lanes_view
    from projections.views import job_view

    name = await named_job(source, text)
    fold = JobFold(name, begin(source.base))
    async for records in records_until(source, last, of_job(name)):
        for record in records:
            fold.fold(record)
    job, travel = fold.job, fold.travel
    if job is None:
        raise NotFound(
            f"job {name} was not there yet at position {last}",
            hint=f"lota replay --job {name} --step shows its first events",
        )
    if shard is not None:
        shard_indexes(job, shard)
    now_ms = travel.tally.time_ms
    view = {
        "position": travel.network.position,
        **job_view(job, travel.network.nodes, fold.timeline, now_ms=now_ms),
        "lanes": lanes_view(job, fold.lanes, shard, now_ms=now_ms),
    }
    show_view(view, output, lambda v: show_past_job(v, now_ms))
