"""Publishes by the driver `local` onto a disk that is too small, and then what fits.

Run as `python -m tests.contracts.small_disk ROOT LARGE`, where LARGE is a result that does not fit
and the disk at ROOT is this process's own. Prints one JSON object of what came of it.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from events.errors import PublishError
from publishers import open_publisher
from publishers.port import Workplace
from publishers.unixfs import tree_cid
from tests.contracts.publishing import SMALL, SMALL_CID


async def publish(root: Path, large: Path) -> dict[str, object]:
    """Return the error's code, whether a repeat may help, what is left, and what fitted."""
    publisher = open_publisher("local", str(root), {}, Workplace(root))
    told: dict[str, object] = {}
    try:
        await publisher.publish(large, "job/0", cid=tree_cid(large).cid)
    except PublishError as error:
        told |= {"code": error.code, "permanent": error.permanent, "hint": error.hint}
    told["visible"] = [name for name in os.listdir(root) if not name.startswith(".")]
    location = await publisher.publish(SMALL, "job/1", cid=SMALL_CID)
    await publisher.verify(location)
    await publisher.close()
    return told | {"fitted": location.cid}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(publish(Path(sys.argv[1]), Path(sys.argv[2])))))
