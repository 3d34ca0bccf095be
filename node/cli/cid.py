"""`lota cid`: the content address that a folder would get, without publishing it."""

import json
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


def cid(
    path: Path,
    /,
    *,
    output: Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])] = "text",
) -> None:
    """Print the root CID of a folder or file.

    The same bytes under the same names give the same CID everywhere: compare it with what
    `lota job describe` says of a shard, or with any IPFS tool that packs by unixfs-v1-2025.

    Example: lota cid ./results

    Parameters
    ----------
    path
        The folder, or the one file, to hash. Nothing is written or sent.
    output
        `text` prints the CID alone, `json` an object with `cid` and `dag_size_bytes`.
    """
    from publishers.unixfs import tree_cid

    tree = tree_cid(path)
    if output == "json":
        print(json.dumps({"cid": tree.cid, "dag_size_bytes": tree.dag_size_bytes}))
    else:
        print(tree.cid)
