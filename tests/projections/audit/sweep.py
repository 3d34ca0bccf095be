"""Change one byte of a log and see that the audit finds it, over many simulated logs.

python -m tests.projections.audit.sweep --logs 200

Each log is exported; the audit of the file must name the intruder and the liars and nobody else.
Then one byte of one stored event is changed, at a place that the seed draws, and the audit must
find more than before: by the seal, by the decode, by a proof, or by the digest of the file.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from events.archive.lines import Stored, encode_message
from node.cli.audited_file import audit_file
from projections.audit import Finding, Report
from tests.events.archive.logs import CREATED, export
from tests.simulation.shrink import play
from tests.simulation.world import Plan, World

FLIPS = 3


class Found(NamedTuple):
    """What the audits of one log found; `by` counts by what the changed bytes were found."""

    seed: int
    events: int
    wrong: str
    by: Counter[str]


def main() -> int:
    """Sweep; 1 when an audit was not what it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.projections.audit.sweep")
    parser.add_argument("--logs", type=int, default=200, help="how many logs to make")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    args = parser.parse_args()
    began, events, by = time.perf_counter(), 0, Counter[str]()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        seeds = range(args.start, args.start + args.logs)
        for found in pool.map(sweep, seeds, chunksize=2):
            if found.wrong:
                print(f"seed {found.seed}: {found.wrong}")
                return 1
            events += found.events
            by += found.by
    ways = ", ".join(f"{count} by {way}" for way, count in by.most_common())
    spent_s = time.perf_counter() - began
    print(f"{args.logs} logs, {events:,} events, in {spent_s:.0f} s: all clean but for who cheats")
    print(f"{FLIPS * args.logs} changed bytes, all found: {ways}")
    return 0


def sweep(seed: int) -> Found:
    """Audit the log of one seed as it is and with single bytes changed."""
    world, failure = play(Plan(seed=seed))
    if failure is not None:
        return Found(seed, 0, failure.where, Counter())
    stored = stored_of(world)
    by: Counter[str] = Counter()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_bytes(b"".join(export(stored)))
        before = asyncio.run(audit_file(path))
        strangers = [one for one in before.findings if one.author not in world.suspects]
        if strangers:
            return Found(seed, len(stored), str(strangers[0]), by)
        for line, changed in flips(stored, Random(seed)):
            lines = export(stored)
            lines[line] = changed
            path.write_bytes(b"".join(lines))
            after = asyncio.run(audit_file(path))
            if not set(after.findings) - set(before.findings):
                return Found(seed, len(stored), f"line {line} is {changed!r} and not found", by)
            by[way(before, after)] += 1
    return Found(seed, len(stored), "", by)


def stored_of(world: World) -> list[Stored]:
    """Return the log of a world as a server would have stored it."""
    ids = {position: name for name, position in world.wire.log._ids.items()}
    return [
        Stored(
            position=record.position,
            subject=record.subject,
            time=CREATED,
            id=ids.get(record.position, f"M{record.position}"),
            body=record.body,
        )
        for record in world.wire.log._records
    ]


def flips(stored: list[Stored], chance: Random) -> Iterator[tuple[int, bytes]]:
    """Yield lines of the export with one bit of the event in them changed."""
    for _ in range(FLIPS):
        number = chance.randrange(len(stored))
        line = bytearray(encode_message(stored[number]))
        start = line.index(stored[number].body) if stored[number].body in line else len(line) - 8
        line[chance.randrange(start, len(line) - 2)] ^= 1 << chance.randrange(8)
        yield number + 1, bytes(line)


def way(before: Report, after: Report) -> str:
    """Return by what a change was found first."""
    known = set(before.findings)
    new = [one for one in after.findings if one not in known]
    if any(one.kind == "damaged" and "does not decode" in one.what for one in new):
        return "the decode of its line"
    others = [one for one in new if one.kind != "damaged"]
    return _by(others[0]) if others else "the digest of the file"


def _by(finding: Finding) -> str:
    return "a seal" if "its seal over" in finding.what else f"{finding.kind} events"


if __name__ == "__main__":
    sys.exit(main())
