"""Record the histories of the policy that is shipped now, and write down what is expected of all.

python -m tests.histories.decisions.record      record the stories that this version has not yet
python -m tests.histories.decisions.record --accept    take what comes of all of them now for right

A file that is there is kept: it says what a version did decide.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from events.archive.files import writing
from events.spec import Deal, JobSpec, PublisherSpec, Sharding
from node.config import Address, NodeConfig
from node.host import Host
from node.policy import Policy
from node.server import EmbeddedServer
from tests.events.archive.logs import export
from tests.histories.decisions.stories import STORIES, WILD, wild
from tests.histories.decisions.verdicts import EXPECTED, FOLDER, NUMBERS, SUFFIX, numbers, verdicts
from tests.integration.watch import Watch
from tests.lota_process import LOTA
from tests.projections.audit.sweep import stored_of
from tests.simulation.world import World

VERSION = Policy().version
JOBS = (
    JobSpec(engine="noop"),
    JobSpec(engine="noop", sharding=Sharding(count=100)),
    JobSpec(
        engine="process",
        command=("sh", "-c", 'echo "shard $LOTA_SHARD"'),
        sharding=Sharding(count=20),
        deal=Deal(2, 2),
        verifier="deterministic",
        publishers=(PublisherSpec("nats"),),
    ),
    JobSpec(engine="process", command=("sh", "-c", "exit 3"), deal=Deal(2, 2)),
)
"""What the real network is asked; nothing in it names the machine that it ran on."""


def main() -> int:
    """Record what is missing, or accept what there is."""
    parser = argparse.ArgumentParser(prog="python -m tests.histories.decisions.record")
    parser.add_argument("--accept", action="store_true", help="expect what comes of them now")
    args = parser.parse_args()
    if not args.accept:
        for name, world in _worlds():
            with writing(_path(name)) as file:
                file.writelines(export(stored_of(world)))
            print(f"recorded {_path(name).name}")
        if not _path("real").exists():
            asyncio.run(_record_real())
    known = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    NUMBERS.write_text(json.dumps({**numbers(), **known}, indent=1) + "\n")
    EXPECTED.write_text(asyncio.run(verdicts()))
    print(f"wrote {EXPECTED.name} and {NUMBERS.name}; git diff shows what is new")
    return 0


def _path(name: str) -> Path:
    return FOLDER / f"{VERSION}-{name}{SUFFIX}"


def _worlds() -> Iterator[tuple[str, World]]:
    """Yield the simulated networks that are not recorded for this version yet."""
    for name, story in STORIES.items():
        if not _path(name).exists():
            yield name, story().world
    for seed in WILD:
        if not _path(f"wild-{seed}").exists():
            yield f"wild-{seed}", wild(seed)


async def _record_real() -> None:
    """Let nodes on a real server run jobs, and export their log."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(EmbeddedServer(folder / "nats"))
            watch = await stack.enter_async_context(Watch(server.url))
            for name, role in (
                ("requester", "requester"),
                *((f"node-{n}", "compute") for n in range(1, 5)),
            ):
                config = _config(name, role, server.url, folder)
                await stack.enter_async_context(Host(config))
            jobs = [await watch.submit(spec) for spec in JOBS]
            for job in jobs:
                await watch.closed(job)
            words = ("events", "export", "-o", str(_path("real")), "--server", server.url)
            process = await asyncio.create_subprocess_exec(LOTA, *words)
            if await process.wait():
                raise SystemExit("the log could not be exported")


def _config(name: str, role: str, url: str, folder: Path) -> NodeConfig:
    return NodeConfig(
        name=name,
        address=Address(url),
        state=folder / name,
        roles=(role,),
        engines=("noop", "process") if role == "compute" else (),
        publish_root=folder / "published",
        cpu=2,
        memory_bytes=2**31,
        width=2,
    )


if __name__ == "__main__":
    sys.exit(main())
