"""What a shard came to, on the page of its job: what its command printed, and its files."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from node.web.views.html import Attribute, Child, Element, h
from node.web.views.page import Documents
from node.web.views.parts import Choice, Row, choice, code, link, note, pages, table
from node.web.views.route import Route
from node.words import size

STREAMS = ("stdout", "stderr")
HEADINGS = ("Name", "#Size", "CID")

View = Mapping[str, Any]


def result(job: str, shard: View, documents: Documents, route: Route) -> list[Child]:
    """Return what there is of a shard's result, and what was chosen of that."""
    if not shard["executions"]:
        return []
    if "output" not in route.offers:
        return [note("What it printed and made is with its network: a log does not hold it.")]
    index, stream = shard["index"], route.query.get("stream", "")
    chosen = [stream, *(["files"] if "path" in route.query else [])]
    has_files = shard["verdict"] is not None and shard["verdict"]["claim"] is not None
    output, folder = documents.get("output"), documents.get("files")
    logs = f"/api/v1/jobs/{job}/logs?shard={index}&stream={stream}"
    save = link(logs, "Save all of it", download=f"{stream}.txt")
    return [
        choices(index, [*STREAMS, *(["files"] if has_files else [])], chosen, route),
        output and printed(index, stream, output, save),
        folder and _folder(f"/api/v1/jobs/{job}/results/{index}", folder, route),
    ]


def choices(index: int, names: Sequence[str], chosen: Sequence[str], route: Route) -> Element:
    """Return links to what can be looked at, of which some are chosen."""
    leads = {"files": route.href(shard=index, path="", file=None)}
    items = [
        Choice(name, leads.get(name) or route.href(shard=index, stream=name), name in chosen)
        for name in names
    ]
    return choice(f"Output of shard {index}", items)


def printed(index: int, stream: str, output: View, rest: Child) -> list[Child]:
    """Return what a command printed; of more than is shown, `rest` tells where that is."""
    given: dict[str, Attribute] = {"class": "log", "data-key": "output", "tabindex": 0}
    label: dict[str, Attribute] = {"role": "region", "aria-label": f"{stream} of shard {index}"}
    text = output["text"] or h("i", {}, f"{stream} is empty")
    return [
        not output["whole"] and note("This is its beginning. ", rest),
        h("pre", {**given, **label}, text),
    ]


def files(rows: Sequence[Row]) -> Element:
    """Return a table of files and folders."""
    return table("Files of the result", HEADINGS, rows)


def file_row(entry: View, name: Child) -> Row:
    """Return the row of a file or a folder."""
    return Row((name, size(entry["size_bytes"]), code(entry["cid"])), key=entry["encoded"])


def _folder(result: str, folder: View, route: Route) -> list[Child]:
    """Return what is in a folder of a result, whose files lie below the path `result`.

    Its own path is kept in the address as the API encodes it, name by name, since a name may be
    any bytes.
    """
    path = route.query.get("path", "").strip("/")
    parts = path.split("/") if path else []

    def listed(parts: Sequence[str]) -> str:
        return route.href(path="/".join(parts), file=None)

    crumbs: list[Child] = [
        [link(listed(parts[:depth]), unquote(parts[depth - 1]) if depth else "result"), " / "]
        for depth in range(len(parts) + 1)
    ]
    rows = []
    for entry in folder["entries"]:
        below = [*parts, entry["encoded"]]
        if entry["kind"] == "folder":
            name = link(listed(below), f"{entry['name']}/")
        else:
            href = f"{result}/{quote('/'.join(below), safe='/%')}"
            name = link(href, entry["name"], download=entry["name"])
        rows.append(file_row(entry, name))
    more = folder["next"] and link(route.href(file=folder["next"]), "More")
    return [
        h("nav", {"class": "crumbs", "aria-label": "Folder", "data-key": "crumbs"}, crumbs),
        files(rows),
        more and pages("Pages of the folder", more),
    ]
