"""Makes a storage deal again and again, cut short at each step in turn, and mends it afterwards.

What is cut short, and where, is the mode:

- `steps`: the node is killed at each change it makes to the disk, lock it takes and command it
  starts, as Python's audit hooks tell them;
- `parent`: the node is killed at each step of each command that it runs, which itself goes on;
- `command`: the command is killed there, and the node goes on, until one of these deals is made.

After that the next life does what the core does when `publish.started` is on the log: it asks by
`lookup`, and publishes only when that says that surely nothing was made. Run as `python -m
tests.publishers.lotus_crashes MODE FOLDER`; prints one JSON document for each step.
"""

import asyncio
import json
import os
import signal
import sys
from itertools import count
from pathlib import Path

import msgspec

from events.errors import PublishError
from publishers.lotus import LotusPublisher
from publishers.lotus_slot import FOLDER
from publishers.port import Location, SmallResult
from publishers.unixfs import result_cid
from tests.contracts.places.lotus import LotusPlace

KEY = "job/0"
RESULT = SmallResult(b"hello\n", b"", 0)
CID = result_cid(b"hello\n", b"", 0).cid
CHANGES = ("os.", "shutil.", "fcntl.", "subprocess.Popen")


def changes(event: str, arguments: tuple[object, ...]) -> bool:
    """Whether an audit event is one that a crash before it and behind it tells apart."""
    if event == "open":
        path, _, flags = arguments
        assert isinstance(flags, int)
        return str(path).startswith("/") and path != "/dev/null" and flags & os.O_CREAT != 0
    return event.startswith(CHANGES) and event not in {"os.listdir", "os.scandir"}


def die_at(step: int) -> None:
    """Kill this process when the given number of changes lies behind it."""
    passed = count()

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if changes(event, arguments) and next(passed) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


async def publish(place: LotusPlace) -> str:
    """Publish as a node does; return the code of the error, empty for none."""
    publisher = LotusPublisher("", place.credential, place.workplace)
    try:
        await publisher.publish(RESULT, KEY, cid=CID)
    except PublishError as error:
        return "unpaid" if error.unpaid else error.code
    finally:
        await publisher.close()
    return ""


async def mend(place: LotusPlace) -> tuple[Location, list[str]]:
    """Do what the core does in the next life; return the location and what it was told."""
    told = []
    publisher = LotusPublisher("", place.credential, place.workplace)
    try:
        while True:
            try:
                found = await publisher.lookup(KEY, cid=CID)
            except PublishError as error:
                told.append(error.code)
                if error.code != "unsettled":
                    raise
                let_an_hour_pass(place)
                continue
            told.append("found" if found is not None else "none")
            location = found or await publisher.publish(RESULT, KEY, cid=CID)
            again = await publisher.publish(RESULT, KEY, cid=CID)
            assert again == location, "a repeat has made another deal"
            await publisher.verify(location)
            assert publisher._sweeping is not None
            await publisher._sweeping
            return location, told
    finally:
        await publisher.close()


def let_an_hour_pass(place: LotusPlace) -> None:
    """Make every intent older than what a daemon could still be at."""
    for path in (place.workplace.folder / FOLDER).glob("*/deal.json"):
        record = msgspec.json.decode(path.read_bytes())
        path.write_bytes(msgspec.json.encode(record | {"proposing_s": 0}))


def first_life(mode: str, place: LotusPlace, step: int) -> tuple[bool, str]:
    """Run a life that is cut short; return whether it was, and what it came to otherwise."""
    if mode != "steps":
        who = {"parent": "parent", "command": "self"}[mode]
        place.lotus.control(token="jwt", die=[step + 1, who])
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        if mode == "steps":
            die_at(step)
        os.write(writer, asyncio.run(publish(place)).encode() or b"done")
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        came_to = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    short = os.WIFSIGNALED(status)
    if mode == "command":
        short = place.lotus.steps > step  # the command did get there
    place.lotus.control(token="jwt")
    return short, came_to


def main(mode: str, folder: str) -> None:
    """Cut a life short at each step, until one gets through."""
    for step in count():
        place = LotusPlace(Path(folder) / str(step))
        short, came_to = first_life(mode, place, step)
        location, told = asyncio.run(mend(place))
        seen = asyncio.run(place.seen_cid(KEY, CID))
        left = asyncio.run(place.leftovers())
        line = {
            "step": step,
            "came_to": came_to,
            "told": told,
            "made": place.lotus.made,
            "uri": location.uri,
            "whole": seen == CID,
            "left": left,
            "imports": place.lotus.state["imports"],
        }
        print(json.dumps(line), flush=True)
        if not short or came_to == "done":
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
