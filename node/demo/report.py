"""What the demo makes of its job: the totals of the census, read from where the shards lie."""

import json
from collections import Counter
from pathlib import Path

from rich.console import Console

from events.inputs.file_uri import to_path
from node.demo.census import COUNTED
from projections.state import Job


def sum_published(job: Job) -> Counter[str]:
    """Add up the shards' totals, each read from where it was published, one after the other."""
    totals: Counter[str] = Counter()
    for shard in job.shards:
        copy = next(copy for slot in shard.slots.values() for copy in slot.copies)
        path = Path(to_path(copy.uri), "outputs", "totals.json")
        totals.update(json.loads(path.read_text(encoding="utf-8")))
    return totals


def show_totals(console: Console, totals: Counter[str], seconds: float) -> None:
    """Print the sum of the census."""
    console.print(f"\n[bold]The standard library of this Python[/], counted in {seconds:.1f} s")
    for name in COUNTED:
        console.print(f"{totals[name]:>9,}  {name}")
