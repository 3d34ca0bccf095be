"""How a job's input files become shards: a pure function of the spec and the listings.

The files of the inputs that are sharded count as one row, in the order of the inputs; a shard is a
run of that row. Context inputs are given whole to every shard and never counted.
"""

import re
from collections.abc import Sequence

from events.errors import InvalidSpec
from events.spec import SHARDS_MAX, JobSpec

GLOB_PATH = "$.sharding.glob"

Slice = tuple[int, int, int]
"""Files `start <= index < stop` of the listing of input number `input`: (input, start, stop)."""


def pattern(glob: str) -> re.Pattern[str]:
    """Return a matcher (by its `match`) of relative POSIX paths, hidden ones like any other.

    `**` as a whole part stands for any number of folders, `*` and `?` stay within a part, `[a-z]`
    and `[!a-z]` are one letter of a set; "" is everything. The groups are atomic: what `*` or
    `**` took for one piece is never tried anew, so a hostile glob costs linear time per piece.

    Raises InvalidSpec for a glob that can match nothing: absolute, with `..`, or of a folder.
    """
    runs: list[list[str]] = [[]]
    for part in _parts(glob or "**"):
        if part == "**":
            runs.append([])
        else:
            runs[-1].append(_part(part))
    first, *others = ["/".join(run) for run in runs]
    if not others:
        return re.compile(rf"{first}\Z", re.DOTALL)
    *middle, last = others
    regex = f"{first}/" if first else ""
    regex += "".join(rf"(?>(?:[^/]+/)*?{run}/)" for run in middle if run)
    regex += rf"(?:[^/]+/)*{last}\Z" if last else r".+\Z"
    return re.compile(regex, re.DOTALL)


def shard_count(spec: JobSpec, counts: Sequence[int]) -> int:
    """Return how many shards the job has; `counts` holds the number of files of each input.

    Raises InvalidSpec when there is nothing to shard, or when it makes more than SHARDS_MAX.
    """
    if not _asked(spec):
        return 1
    sharding = spec.sharding
    sharded = _sharded(spec, counts)
    if not sharded:
        shards = sharding.count or 1
    else:
        files = sum(count for _, count in sharded)
        if not files:
            raise InvalidSpec(
                GLOB_PATH, "no file is left to shard", hint="check the glob and the inputs"
            )
        shards = min(sharding.count, files) or -(-files // (sharding.size or 1))
    if shards > SHARDS_MAX:
        raise InvalidSpec(
            "$.sharding.count" if sharding.count else "$.sharding.size",
            f"this makes {shards:,} shards",
            hint=f"the limit is {SHARDS_MAX:,}; give more files to a shard",
        )
    return shards


def slices(spec: JobSpec, counts: Sequence[int], shard: int) -> tuple[Slice, ...]:
    """Return the files of one shard, in the order of the inputs.

    Context inputs come whole; a sharded input of which the shard has no file is left out.
    """
    shards = shard_count(spec, counts)
    if not 0 <= shard < shards:
        raise IndexError(f"shard {shard} of {shards}")
    whole = [(index, 0, count) for index, count in enumerate(counts)]
    sharded = _sharded(spec, counts)
    if not sharded or not _asked(spec):
        return tuple(whole)
    start, stop = _run(spec, sum(count for _, count in sharded), shards, shard)
    found = [whole[index] for index, entry in enumerate(spec.inputs) if entry.context]
    before = 0
    for index, count in sharded:
        low, high = max(start - before, 0), min(stop - before, count)
        if low < high:
            found.append((index, low, high))
        before += count
    return tuple(sorted(found))


def _asked(spec: JobSpec) -> bool:
    return bool(spec.sharding.glob or spec.sharding.size or spec.sharding.count)


def _run(spec: JobSpec, files: int, shards: int, shard: int) -> tuple[int, int]:
    """Return the run of files of a shard, as start and stop."""
    if spec.sharding.count:
        return files * shard // shards, files * (shard + 1) // shards
    size = spec.sharding.size or 1
    return size * shard, min(size * (shard + 1), files)


def _sharded(spec: JobSpec, counts: Sequence[int]) -> list[tuple[int, int]]:
    if len(counts) != len(spec.inputs):
        raise ValueError(f"{len(counts)} counts for {len(spec.inputs)} inputs")
    return [(at, counts[at]) for at, entry in enumerate(spec.inputs) if not entry.context]


def _parts(glob: str) -> list[str]:
    parts = [part for part in glob.split("/") if part != "."]
    if not parts or ".." in parts or "" in parts[:-1]:
        raise InvalidSpec(
            GLOB_PATH,
            f"{glob!r} is no path below the source",
            hint="write it relative to the source, like data/*.csv",
        )
    if not parts[-1]:
        raise InvalidSpec(
            GLOB_PATH, f"{glob!r} names a folder", hint=f"write {glob}** for all files in it"
        )
    return parts


def _part(part: str) -> str:
    """Return the regular expression of one part of a glob; no piece of it matches a slash."""
    pieces: list[str] = [""]
    at = 0
    while at < len(part):
        letter = part[at]
        if letter == "*":
            if pieces[-1] or len(pieces) == 1:
                pieces.append("")
            at += 1
        elif letter == "[" and (end := part.find("]", at + 2 + (part[at + 1 : at + 2] == "!"))) > 0:
            pieces[-1] += _letter_set(part[at + 1 : end])
            at = end + 1
        else:
            pieces[-1] += "[^/]" if letter == "?" else re.escape(letter)
            at += 1
    head, *others = pieces
    if not others:
        return head
    *middle, tail = others
    return head + "".join(f"(?>[^/]*?{piece})" for piece in middle) + f"[^/]*{tail}"


def _letter_set(inside: str) -> str:
    negated = inside.startswith("!")
    letters = inside[1:] if negated else inside
    found, at = "", 0
    while at < len(letters):
        if letters[at + 1 : at + 2] == "-" and at + 2 < len(letters):
            low, high = letters[at], letters[at + 2]
            if low > high:
                raise InvalidSpec(
                    GLOB_PATH, f"[{inside}] has a range that ends before it starts", hint="turn it"
                )
            found += f"{re.escape(low)}-{re.escape(high)}"
            at += 3
        else:
            found += re.escape(letters[at])
            at += 1
    return f"(?!/)[{'^' if negated else ''}{found}]"
