"""What a command sees of the world, by allow-list: two honest nodes must give it the same.

So nothing of the node's own environment is passed on, no execution id and no node name; time zone,
language and hash seed are fixed. A process sees relative paths, because every node keeps its
folders elsewhere; a container sees the same absolute ones everywhere.
"""

from node.executors.port import Task

INPUTS = "inputs"
OUTPUTS = "outputs"
SCRATCH = "tmp"
SAFE_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def process_environment(task: Task) -> dict[str, str]:
    """Return the whole environment of a process whose working directory is the execution's."""
    return {
        "PATH": SAFE_PATH,
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
        "LOTA_INPUTS": INPUTS,
        "LOTA_OUTPUTS": OUTPUTS,
        **_common(task),
        **task.env,
    }


def container_environment(task: Task) -> dict[str, str]:
    """Return what is added to the image's own environment; PATH stays the image's."""
    return {
        "HOME": f"/{SCRATCH}",
        "TMPDIR": f"/{SCRATCH}",
        "LOTA_INPUTS": f"/{INPUTS}",
        "LOTA_OUTPUTS": f"/{OUTPUTS}",
        **_common(task),
        **task.env,
    }


def _common(task: Task) -> dict[str, str]:
    return {
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        "PYTHONHASHSEED": "0",
        "LOTA_JOB": task.job,
        "LOTA_SHARD": str(task.shard),
        "LOTA_SHARDS": str(task.shards),
    }
