"""The base of a log whose beginning was archived: what a fold of the rest begins with.

It holds the nodes, and the jobs that had begun before the base's position and not been closed yet.
They were closed when the base was made, and their last events follow. Positions in it are those of
the log, but for the fence of the nodes: what it named is gone, and the log says 0 of it.
"""

from typing import TypeVar

import msgspec

from events.codec import PRESENT, Codec
from events.errors import ContentError
from events.log import Base
from projections.network import Network
from projections.nodes import Node, Nodes
from projections.state import Job

VERSION = 1


class _Stated(msgspec.Struct):
    version: int


class _State(msgspec.Struct):
    version: int
    nodes: Nodes
    jobs: list[Job]


T = TypeVar("T", Node, Job)


def encode_base(network: Network) -> bytes:
    """Return the state of a base that stands where the fold does; closed jobs have left it.

    Equal folds are equal bytes: whoever folds the same events comes to the same base.
    """
    members = {name: _ordered(node) for name, node in network.nodes.members.items()}
    nodes = msgspec.structs.replace(network.nodes, members=members, fence=0)
    jobs = [_ordered(job) for job in network.jobs.values()]
    return msgspec.json.encode(_State(VERSION, nodes, jobs))


def _ordered(state: T) -> T:
    """Return the same with lists for its sets, which have another order in each process."""
    values = ((name, getattr(state, name)) for name in state.__struct_fields__)
    sets = {name: sorted(value) for name, value in values if isinstance(value, set)}
    return msgspec.structs.replace(state, **sets)


def begin(base: Base | None, codec: Codec = PRESENT) -> Network:
    """Return the fold to begin a log with: what its base says, or nothing.

    Raises ContentError for a base that this version cannot read.
    """
    network = Network(codec)
    if base is None:
        return network
    try:
        stated = msgspec.json.decode(base.state, type=_Stated)
        if stated.version > VERSION:
            raise ContentError(
                f"the base of the log is of version {stated.version}, and {VERSION} is known",
                hint="use the version of lota that archived the log's beginning, or a newer one",
            )
        state = msgspec.json.decode(base.state, type=_State)
    except msgspec.DecodeError as error:
        raise ContentError(
            f"the base of the log cannot be read ({error})",
            hint="fold the archive files from the first one on: they hold what it was made from",
        ) from None
    network.position = base.position
    network.nodes = state.nodes
    network.jobs = {job.id: job for job in state.jobs}
    return network
