"""/bin/true by Dask distributed, in an environment of its own; run by `benchmarks.dask_cluster`.

Reads a count per line, `map 1000` or `submit 500`, and prints the tasks per second of each.
"""

import itertools
import subprocess
import sys
import time

from distributed import Client, LocalCluster, as_completed  # type: ignore[import-not-found]

WINDOW = 256


def true(_: int) -> int:
    """Run the command as a Dask user would."""
    return subprocess.run(["/bin/true"], check=True).returncode


def submit_each(client: Client, tasks: int) -> None:
    """Submit tasks one by one, so many under way, as they come from outside."""
    numbers = iter(range(tasks))

    def next_ones(count: int) -> list[object]:
        return [client.submit(true, n, pure=False) for n in itertools.islice(numbers, count)]

    ended = as_completed(next_ones(WINDOW))
    for future in ended:
        future.result()
        for fresh in next_ones(1):
            ended.add(fresh)


def main() -> None:
    """Measure what each line of stdin asks for, in one cluster of two processes."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.gather(client.map(true, range(50), pure=False))
        print("ready", flush=True)
        for line in sys.stdin:
            how, count = line.split()
            began = time.perf_counter()
            if how == "map":
                client.gather(client.map(true, range(int(count)), pure=False))
            else:
                submit_each(client, int(count))
            print(int(count) / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
