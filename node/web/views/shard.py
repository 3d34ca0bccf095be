"""One shard of a job: who ran it, what was agreed on, and where the copies are."""

from collections.abc import Mapping
from typing import Any

from node.web.views.copies import copies
from node.web.views.html import Child, Element, h
from node.web.views.parts import Row, code, note, state_of, table
from node.words import size

HEADINGS = (
    "Execution",
    "Node",
    "State",
    "Judged",
    "#Exit",
    "#Size",
    "CID that it claims",
    "Reason",
)

View = Mapping[str, Any]


def shard_part(shard: View, result: Child) -> Element:
    """Return what there is to say of a shard; `result` is what it came to."""
    found = _copies(shard)
    return h(
        "div",
        {"class": "shard", "data-key": f"shard-{shard['index']}"},
        h("h3", {}, f"Shard {shard['index']} ", state_of(shard["state"])),
        shard["reason"] and h("p", {"class": "bad"}, f"{shard['code']}: {shard['reason']}"),
        shard["verdict"] and _verdict(shard["verdict"]),
        _executions(shard) if shard["executions"] else note("No node has it yet."),
        found and [h("h4", {}, "Copies"), copies(found)],
        result,
    )


def _verdict(verdict: View) -> Element:
    """Say what was decided, on what, and why."""
    reason, claim = verdict["reason"] or "", verdict["claim"]
    if reason == "unverified":
        reason = "Nobody else ran it: one node's word"
    said: Child = reason[:1].upper() + reason[1:]
    if claim:
        said = [said, " on ", code(claim["cid"]), f", exit code {claim['exit_code']}."]
    return h("p", {}, h("b", {}, f"Verdict: {verdict['result']}."), " ", said)


def _executions(shard: View) -> Element:
    verdict = shard["verdict"] or {"accepted": (), "rejected": ()}
    rows = []
    for one in shard["executions"]:
        judged = next((is_ for is_ in ("accepted", "rejected") if one["id"] in verdict[is_]), None)
        claim = one["claim"]
        cells = (
            code("-".join(one["id"].split("-")[-2:])),
            one["node"],
            state_of(one["state"]),
            judged and state_of(judged),
            claim and claim["exit_code"],
            claim and size(claim["dag_size_bytes"]),
            claim and code(claim["cid"]),
            one["reason"],
        )
        rows.append(Row(cells, key=one["id"]))
    return table("Executions and what they claim", HEADINGS, rows)


def _copies(shard: View) -> list[View]:
    """Return the copies that there are, and the publications that have more to say."""
    goes_on = shard["state"] not in ("failed", "cancelled")
    told = [
        slot
        for slot in shard["slots"]
        if slot["state"] != "published"
        and (slot["reason"] or (goes_on and slot["state"] != "idle"))
    ]
    return [*shard["publications"], *told]
