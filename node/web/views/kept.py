"""The page of a job for a file of its own: every view of it that can be chosen, made beforehand.

Made whole for each address they would be the square of what they are: so the page has slots for
what depends on a choice, and each slot has its views by the words of the address that it heeds
(`exported.js` puts them in).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from node.web.kept_results import FILES_MAX, KeptResult
from node.web.views.cells import chosen_cell
from node.web.views.html import Child, Element, h, render
from node.web.views.job import HINT, Choices, page
from node.web.views.job_events import each_event, events_by_type
from node.web.views.parts import note, section
from node.web.views.results import choices, file_row, files, printed
from node.web.views.route import Route
from node.web.views.shard import shard_part
from node.words import count, many

EVENTS_AT_ONCE = 200
SHARDS_BYTES_MAX = 32 * 1024 * 1024
"""Of the shards' views; 10,000 shards of two replicas take half of it."""

REASONS_MAX = 10
"""Of a large job each shard may have one of its own."""

SLOTS = {
    "mark": ("shard",),
    "shard": ("shard",),
    "result": ("shard", "stream", "path"),
    "events": ("view", "cursor"),
}
"""What depends on a choice, and the words of the address that say which."""

View = Mapping[str, Any]


def kept_views(
    view: View,
    shards: Iterable[View],
    events: Sequence[View],
    results: Mapping[int, KeptResult],
    lacking: Sequence[str],
) -> dict[str, Any]:
    """Return the page with its slots, and the views of each slot.

    `view` is what a page is drawn from, and `lacking` says what the file does not hold and why.
    """
    job, total = view["id"], len(view["shards"])
    lacks = [*lacking, *_lacking_results(results)]
    views: dict[str, dict[str, str]] = {slot: {} for slot in SLOTS}
    views["shard"][""] = render(note(HINT))
    size_bytes = 0
    for shard in shards:
        index = shard["index"]
        if size_bytes > SHARDS_BYTES_MAX:
            lacks.append(f"Shards from {count(index)} on, one by one: the file would be too large.")
            break
        made = _shard(job, total, shard, results.get(index, KeptResult()))
        size_bytes += sum(len(text) for found in made.values() for text in found.values())
        for slot, found in made.items():
            views[slot] |= found
            if total == 1:
                views[slot][""] = found["shard=0"]
    route = Route("job", job)
    views["events"] |= _events(view["timeline"], events, route)
    slots = Choices(mark=_slot("mark"), shard=_slot("shard"), events=_slot("events"))
    whole = [*page(view, slots, route), _not_here(lacks)]
    return {"page": render(whole), "slots": SLOTS, "views": views}


def _slot(name: str) -> Element:
    return h("slot", {"name": name})


def _shard(job: str, total: int, shard: View, kept: KeptResult) -> dict[str, dict[str, str]]:
    """Return the views of a shard, by their slots."""
    index = shard["index"]
    key, route = f"shard={index}", Route("job", job, {"shard": str(index)})
    return {
        "mark": {key: render(chosen_cell(total, index))},
        "shard": {key: render(shard_part(shard, _slot("result")))},
        "result": {
            f"{key}{more}": render(made) for more, made in _results(job, index, kept, route)
        },
    }


def _results(
    job: str, index: int, kept: KeptResult, route: Route
) -> Iterator[tuple[str, list[Child]]]:
    """Yield what is to be seen of a result, and the words of the address that choose it."""
    names = [*kept.outputs, *(["files"] if kept.files is not None else [])]

    def seen(*chosen: str) -> list[Child]:
        return [
            names and choices(index, names, chosen, route),
            kept.why and note(f"Not all of its result is here: {kept.why}."),
        ]

    yield "", seen()
    for name, output in kept.outputs.items():
        words = f"lota job logs {job} --shard {index}{' --stderr' if name == 'stderr' else ''}"
        rest = f"{words} prints all of it where the network is."
        yield f"&stream={name}", [seen(name), printed(index, name, output, rest)]
    if kept.files is not None:
        rows = [
            file_row(entry, f"{entry['name']}/" if entry["kind"] == "folder" else entry["name"])
            for entry in kept.files.entries
        ]
        cut = not kept.files.whole and note(f"These are the first {FILES_MAX}.")
        yield "&path=", [seen("files"), files(rows), cut]


def _events(
    stretches: Sequence[View], events: Sequence[View], route: Route
) -> Iterator[tuple[str, str]]:
    yield "", render(events_by_type(stretches, route))
    for start in range(0, max(1, len(events)), EVENTS_AT_ONCE):
        query = {"view": "full", **({"cursor": str(start)} if start else {})}
        at, following = Route("job", route.id, query), start + EVENTS_AT_ONCE
        more = at.href(cursor=following) if following < len(events) else None
        key = "&".join(f"{name}={value}" for name, value in query.items())
        yield key, render(each_event(events[start:following], more, at))


def _lacking_results(results: Mapping[int, KeptResult]) -> Iterator[str]:
    """Say of how many shards something is missing, for each of the commonest reasons."""
    reasons: dict[str, list[int]] = {}
    for index, kept in results.items():
        if kept.why:
            reasons.setdefault(kept.why, []).append(index)
    ranked = sorted(reasons.items(), key=lambda found: -len(found[1]))
    for why, indexes in ranked[:REASONS_MAX]:
        yield f"Output and files of {_whose(indexes)}, or some of them: {why}."
    if others := [index for _, indexes in ranked[REASONS_MAX:] for index in indexes]:
        yield f"Output and files of {_whose(others)}, or some of them: each says why."


def _whose(indexes: Sequence[int]) -> str:
    return f"shard {indexes[0]}" if len(indexes) == 1 else many(len(indexes), "shard")


def _not_here(lacks: Sequence[str]) -> Element:
    always = "The files of results themselves: lota result get fetches them where the network is."
    rows = [h("li", {}, text) for text in (*lacks, always)]
    return section("Not in this file", h("ul", {}, rows))
