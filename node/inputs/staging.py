"""One shard's input files, laid out below a folder as the job's command will see them."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from events.errors import ExecutorError
from events.items import ListedFile
from events.sharding import slices
from events.spec import JobSpec
from node.executors.removal import remove_tree
from node.inputs.port import Source

FOLDERS_MAX = 400
"""Above a file, and more than a client lists: what makes and copies a tree goes by recursion."""


async def stage_shard(
    spec: JobSpec,
    files: Sequence[Sequence[ListedFile]],
    shard: int,
    folder: Path,
    sources: Mapping[str, Source],
) -> Path:
    """Copy the files of a shard to `folder/inputs/<dest>/<path>` and return `folder/inputs`.

    `files` are the listings of the inputs, `sources` the drivers by scheme. What an attempt that
    was broken off has left is removed first. Raises ExecutorError as `Source.stage` does.
    """
    inputs = folder / "inputs"
    await asyncio.to_thread(_make_empty, inputs)
    for index, start, stop in slices(spec, [len(listed) for listed in files], shard):
        entry = spec.inputs[index]
        scheme = entry.source.partition("://")[0]
        if scheme not in sources:
            raise ExecutorError(
                "input_denied",
                f"this node has no driver for {entry.source}",
                hint=f"it has {', '.join(sorted(sources))}",
            )
        chosen = files[index][start:stop]
        for path in (entry.dest, *(file.path for file in chosen if file.path)):
            _check_below(path)
        await sources[scheme].stage(entry.source, chosen, inputs / entry.dest)
    return inputs


def _check_below(path: str) -> None:
    # The log is not to be trusted with where this node writes.
    if {"", ".", ".."}.intersection(path.split("/")) or "\0" in path:
        raise ExecutorError(
            "input_denied", f"{path!r} is no path below inputs/", hint="the listing is at fault"
        )
    if path.count("/") > FOLDERS_MAX:
        raise ExecutorError(
            "input_denied",
            f"an input lies more than {FOLDERS_MAX} folders deep",
            hint="the listing is at fault",
        )


def _make_empty(folder: Path) -> None:
    remove_tree(folder)
    folder.mkdir(parents=True)
