"""What the demo prints of its job: the timeline, the shards, and the totals of the census."""

import json
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from events.times import parse_ms
from node.demo.census import COUNTED
from node.inputs.file_uri import to_path
from projections.entry import Entry
from projections.state import Job


def show_timeline(console: Console, entries: list[Entry]) -> None:
    """Print every event of the job: when, what, and who said so."""
    table = Table(title="The job's events", title_justify="left", box=None)
    for heading in ("seconds", "event", "by"):
        table.add_column(heading, justify="right" if heading == "seconds" else "left")
    began_ms = parse_ms(entries[0].event.time)
    for entry in entries:
        after_s = (parse_ms(entry.event.time) - began_ms) / 1000
        table.add_row(f"{after_s:.3f}", entry.address.kind, entry.address.author)
    console.print(table)


def show_shards(console: Console, job: Job) -> None:
    """Print who ran each shard, what was decided about it, and where its result is."""
    table = Table(title="Its shards", title_justify="left", box=None)
    for heading in ("shard", "nodes", "verdict", "result"):
        table.add_column(heading)
    for index, shard in enumerate(job.shards):
        nodes = ", ".join(f"{e.node} {e.state}" for e in shard.executions)
        verdict = shard.verdict.reason if shard.verdict is not None else "-"
        claim = shard.verdict.claim if shard.verdict is not None else None
        table.add_row(str(index), nodes, verdict, claim.cid[:20] + "…" if claim else "-")
    console.print(table)


def sum_published(job: Job) -> Counter[str]:
    """Add up the shards' totals, each read from where it was published, one after the other."""
    totals: Counter[str] = Counter()
    for shard in job.shards:
        copy = next(copy for slot in shard.slots.values() for copy in slot.copies)
        path = Path(to_path(copy.uri), "outputs", "totals.json")
        totals.update(json.loads(path.read_text(encoding="utf-8")))
    return totals


def show_totals(console: Console, job: Job, totals: Counter[str], seconds: float) -> None:
    """Print the sum of the census and the address of all of it."""
    console.print(f"\nThe standard library of this Python, counted in {seconds:.1f} s:")
    for name in COUNTED:
        console.print(f"  {totals[name]:>9,}  {name}")
    console.print(f"\nroot CID  {job.root_cid}")
