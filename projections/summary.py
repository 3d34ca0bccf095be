"""One line for each event: what a person reads in a history instead of JSON."""

from collections import Counter
from collections.abc import Iterable

from events.codec import AnyEvent
from events.decisions import (
    ExecutionsLost,
    JobCancelled,
    JobCompleted,
    JobFailed,
    JobPlanned,
    NodeLost,
    NodeQuarantined,
    PublicationsAssigned,
    PublicationsRevoked,
    ResultsJudged,
    RevealsRequested,
    ShardsAwarded,
    ShardsFailed,
    ShardsOffered,
)
from events.entry import Entry
from events.facts import (
    BidsDeclined,
    BidsPlaced,
    ExecutionsFailed,
    ExecutionsStarted,
    InputsListed,
    NodeJoined,
    PublishFailed,
    PublishStarted,
    ResultsProposed,
    ResultsPublished,
    ResultsRevealed,
)
from events.items import Claim, Judgement, Offer
from events.requests import CancelRequested, JobSubmitted
from events.spec import JobSpec

NAMED_MAX = 4
"""Items that a line names one by one."""

LINE_MAX = 100
"""Characters of one item's text."""


def summary_of(entry: Entry) -> str:
    """Return what a message says, without its time, type and author."""
    return "; ".join(summary(part.event) for part in entry.parts())


def summary(event: AnyEvent) -> str:
    """Return what an event says, without its time, type and author."""
    match event:
        case JobSubmitted():
            files = sum(listing.count for listing in event.data.inputs if listing is not None)
            spec = event.data.spec
            return _cut(f"{spec.engine}: {what_runs(spec)}") + (
                f", {files:,} input file(s)" if files else ""
            )
        case CancelRequested():
            return event.data.reason or "no reason given"
        case _:
            return _about_job(event) or _about_shards(event) or _fact(event)


def what_runs(spec: JobSpec) -> str:
    """Return a job's command in a line, or what there is in its place, as far as it is shown."""
    return _cut(" ".join(spec.command) or spec.image or spec.engine)


def _about_shards(event: AnyEvent) -> str:
    match event:
        case JobPlanned():
            return f"{event.data.shards:,} shard(s); {_offers(event.data.offers)}"
        case ShardsOffered():
            return _offers(event.data.offers)
        case ShardsAwarded():
            return _nodes(award.node for award in event.data.awards)
        case ExecutionsLost():
            return _reasons(
                f"{item.shard}-{item.attempt}: {item.reason}" for item in event.data.lost
            )
        case RevealsRequested():
            return f"{_shards(item.shard for item in event.data.executions)} to reveal"
        case ResultsJudged():
            return _judged(event.data.judgements)
        case PublicationsAssigned():
            return _shards(item.shard for item in event.data.assignments)
        case PublicationsRevoked():
            return _reasons(f"{item.shard}: {item.reason}" for item in event.data.revoked)
        case ShardsFailed():
            return _reasons(f"shard {item.shard}: {item.reason}" for item in event.data.shards)
        case _:
            return ""


def _about_job(event: AnyEvent) -> str:
    match event:
        case JobCompleted():
            return event.data.root_cid
        case JobFailed():
            return f"{event.data.code}: {event.data.reason}"
        case JobCancelled():
            return event.data.reason or "as asked"
        case NodeLost():
            return f"{event.data.node}: {event.data.reason}"
        case NodeQuarantined():
            return f"{event.data.node}: {event.data.reason}"
        case _:
            return ""


def _fact(event: AnyEvent) -> str:
    match event:
        case BidsPlaced():
            return _reasons(
                f"offer {bid.offer}, {bid.free:,} free, {bid.width} at a time"
                for bid in event.data.bids
            )
        case BidsDeclined():
            return _reasons(f"{item.code}: {item.message}" for item in event.data.declines)
        case ExecutionsStarted():
            return _shards(item.shard for item in event.data.executions)
        case ExecutionsFailed():
            return _reasons(
                f"{item.shard}-{item.attempt} {item.code}: {item.message}"
                for item in event.data.failures
            )
        case ResultsProposed():
            claims = [item.claim for item in event.data.proposals if item.claim is not None]
            sealed = len(event.data.proposals) - len(claims)
            parts = [f"{sealed:,} sealed"] if sealed else []
            return ", ".join([*parts, *_exit_codes(claims)])
        case ResultsRevealed():
            return ", ".join(_exit_codes([item.claim for item in event.data.reveals]))
        case PublishStarted():
            return _shards(item.shard for item in event.data.starts)
        case ResultsPublished():
            return _reasons(item.uri for item in event.data.publications)
        case PublishFailed():
            return _reasons(
                f"shard {item.shard} {item.code}: {item.message}" for item in event.data.failures
            )
        case InputsListed():
            if event.data.error:
                return event.data.error
            return f"{sum(item.count for item in event.data.inputs if item is not None):,} file(s)"
        case NodeJoined():
            can = event.data.capabilities
            return f"{', '.join(can.roles)}; engines {', '.join(can.engines) or 'none'}"
        case _:
            return ""


def _offers(offers: tuple[Offer, ...]) -> str:
    nodes = sorted({node for offer in offers for node in offer.nodes})
    if not nodes:
        return "no node can run it yet"
    return f"offered to {_some(nodes)}"


def _nodes(nodes: Iterable[str]) -> str:
    counts = Counter(nodes)
    return _some([f"{count:,} to {node}" for node, count in sorted(counts.items())])


def _shards(shards: Iterable[int]) -> str:
    found = sorted(set(shards))
    if len(found) <= NAMED_MAX:
        return f"shard {', '.join(map(str, found))}"
    return f"{len(found):,} shards, {found[0]:,} to {found[-1]:,}"


def _judged(judgements: tuple[Judgement, ...]) -> str:
    results = Counter(judgement.result for judgement in judgements)
    parts = [f"{count:,} {result}" for result, count in sorted(results.items())]
    rejected = sum(len(judgement.rejected) for judgement in judgements)
    if rejected:
        parts.append(f"{rejected:,} execution(s) rejected")
    failed = [judgement for judgement in judgements if judgement.result == "failed"]
    return "; ".join([", ".join(parts), *(f"shard {j.shard}: {j.reason}" for j in failed[:1])])


def _exit_codes(claims: Iterable[Claim]) -> list[str]:
    counts = Counter(claim.exit_code for claim in claims)
    return [f"{count:,} with exit code {code}" for code, count in sorted(counts.items())]


def _reasons(texts: Iterable[str]) -> str:
    return _some(list(texts))


def _some(texts: list[str]) -> str:
    shown = [_cut(text) for text in texts[:NAMED_MAX]]
    more = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LINE_MAX else f"{line[: LINE_MAX - 1]}…"
