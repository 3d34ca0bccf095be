"""How things stand: what waits, what runs, and what the nodes have for it."""

from functools import lru_cache
from math import isfinite

from events.units import size_bytes
from projections.network import Network
from projections.nodes import Node
from projections.state import BUSY, TERMINAL, Job
from projections.statistics import names

CORES_MAX = 1_000_000
"""What a node says that it has beyond this is not believed."""

Capacity = tuple[int, int, int]
"""Thousandths of a core, bytes of memory, executions at one time."""
NOTHING: Capacity = (0, 0, 0)


class Gauges:
    """Kept by what each event changes, never by going through jobs or nodes.

    `queue` counts shards that wait for a node, `running` executions that a node has in hand:
    awarded, and its command has not ended. A node counts as long as it is live.
    """

    def __init__(self) -> None:
        self.queue = 0
        self.running = 0
        self.open_jobs = 0
        self.used_cpu = 0
        self.used_memory = 0
        self._nodes: dict[str, Capacity] = {}
        self._declared = NOTHING
        self._peaks = dict.fromkeys(names.PEAKS, 0)

    def wait(self, shards: int) -> None:
        """Take in that so many more shards wait for a node, or fewer."""
        self.queue += shards
        self._peaks[names.QUEUE] = max(self._peaks[names.QUEUE], self.queue)

    def run(self, executions: int, cpu: int, memory: int) -> None:
        """Take in that so many more executions run, or fewer, each of which takes so much."""
        self.running += executions
        self.used_cpu += executions * cpu
        self.used_memory += executions * memory
        if executions > 0:
            peaks = self._peaks
            peaks[names.RUNNING] = max(peaks[names.RUNNING], self.running)
            peaks[names.USED_CPU] = max(peaks[names.USED_CPU], self.used_cpu)
            peaks[names.USED_MEMORY] = max(peaks[names.USED_MEMORY], self.used_memory)

    def submit(self) -> None:
        """Take in that one more job is open."""
        self.open_jobs += 1
        self._peaks[names.OPEN_JOBS] = max(self._peaks[names.OPEN_JOBS], self.open_jobs)

    def settle(self) -> dict[str, int]:
        """Return the most that each has come to since this was called last."""
        peaks = self._peaks
        self._peaks = {
            names.QUEUE: self.queue,
            names.RUNNING: self.running,
            names.OPEN_JOBS: self.open_jobs,
            names.USED_CPU: self.used_cpu,
            names.USED_MEMORY: self.used_memory,
        }
        return peaks

    def node(self, name: str, node: Node | None) -> None:
        """Take in how a node is now."""
        before = self._nodes.pop(name, NOTHING)
        after = NOTHING
        if node is not None and node.state == "live":
            after = self._nodes[name] = _declared(node)
        cpu, memory, width = (
            total - old + new for total, old, new in zip(self._declared, before, after, strict=True)
        )
        self._declared = cpu, memory, width

    def values(self) -> dict[str, int]:
        """Return all gauges by their names."""
        cpu, memory, width = self._declared
        return {
            names.QUEUE: self.queue,
            names.RUNNING: self.running,
            names.OPEN_JOBS: self.open_jobs,
            names.NODES: len(self._nodes),
            names.DECLARED_CPU: cpu,
            names.DECLARED_MEMORY: memory,
            names.DECLARED_WIDTH: width,
            names.USED_CPU: self.used_cpu,
            names.USED_MEMORY: self.used_memory,
        }


def gauges_of(network: Network) -> Gauges:
    """Return the gauges of a fold that is there already, by going through all of it once."""
    made = Gauges()
    for node in network.nodes.members.values():
        made.node(node.name, node)
    for job in network.jobs.values():
        if job.state in TERMINAL:
            continue
        cpu, memory = needs(job)
        busy = sum(e.state in BUSY for shard in job.shards for e in shard.executions)
        made.open_jobs += 1
        made.queue += len(job.placing)
        made.running += busy
        made.used_cpu += busy * cpu
        made.used_memory += busy * memory
    made.settle()
    return made


def needs(job: Job) -> tuple[int, int]:
    """Return what one execution of a job takes: thousandths of a core, and bytes of memory."""
    asked = job.spec.resources
    return _needs(asked.cpu, asked.memory)


@lru_cache(maxsize=256)
def _needs(cpu: float, memory: str) -> tuple[int, int]:
    return _thousandths(cpu), size_bytes(memory)


def _declared(node: Node) -> Capacity:
    can = node.capabilities
    if "compute" not in can.roles:
        return NOTHING
    return _thousandths(can.cpu), max(0, can.memory_bytes), max(0, can.width)


def _thousandths(cores: float) -> int:
    return round(1000 * min(max(cores, 0), CORES_MAX)) if isfinite(cores) else 0
