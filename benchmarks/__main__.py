"""Runs the benchmarks one after the other: python -m benchmarks [NAME ...] [--markdown]."""

import argparse
import asyncio
import gc
import sys
import time
import traceback
from collections.abc import AsyncIterator, Callable

from rich.console import Console

from benchmarks import (
    append,
    docker_engine,
    import_export,
    jobs,
    messages,
    node_memory,
    observer,
    packing,
    pages,
    process_engine,
    publish_cars,
    publish_local,
    publish_nats,
    publish_s3,
    read_models,
    reader,
    replay,
    restart,
    sse,
    statistics,
    synced,
    tail,
    true,
)
from benchmarks.figures import Figure, Unavailable, table
from benchmarks.machine import describe

BENCHMARKS: dict[str, Callable[[], AsyncIterator[Figure]]] = {
    "jobs": jobs.measure,
    "synced": synced.measure,
    "true": true.measure,
    "replay": replay.measure,
    "messages": messages.measure,
    "append": append.measure,
    "reader": reader.measure,
    "read_models": read_models.measure,
    "statistics": statistics.measure,
    "tail": tail.measure,
    "restart": restart.measure,
    "sse": sse.measure,
    "observer": observer.measure,
    "node_memory": node_memory.measure,
    "import_export": import_export.measure,
    "packing": packing.measure,
    "pages": pages.measure,
    "publish_local": publish_local.measure,
    "publish_s3": publish_s3.measure,
    "process_engine": process_engine.measure,
    "publish_nats": publish_nats.measure,
    "publish_cars": publish_cars.measure,
    "docker_engine": docker_engine.measure,
}
TIMEOUT_S = 240.0
WIDTH = 400
"""Of a table that is pasted or kept; in a terminal its columns fold."""


async def measure(name: str, figures: list[Figure]) -> None:
    """Run one benchmark; each of its figures is printed and kept as soon as it is there."""
    async with asyncio.timeout(TIMEOUT_S):
        async for figure in BENCHMARKS[name]():
            print(f"  {figure}", flush=True)
            figures.append(figure)


def run(name: str, figures: list[Figure]) -> str:
    """Run one benchmark apart from the others; return why it failed, if it did."""
    print(f"\n{name}", flush=True)
    began = time.perf_counter()
    try:
        asyncio.run(measure(name, figures))
    except Unavailable as missing:
        print(f"  not measured: {missing}", flush=True)
    except TimeoutError:
        return f"{name} was not done within {TIMEOUT_S:.0f} s"
    except Exception as error:  # noqa: BLE001 - the others are to run all the same
        traceback.print_exc()
        return f"{name} failed: {type(error).__name__}: {error}"
    finally:
        gc.collect()
        print(f"  ({time.perf_counter() - began:.0f} s)", flush=True)
    return ""


def main() -> None:
    """Measure what is named, or all; end with one table, and with code 1 if anything failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}")
    parser.add_argument("--markdown", action="store_true", help="end with a table to paste")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.name) - {*BENCHMARKS})
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    machine = asyncio.run(describe())
    print("\n".join(machine), flush=True)
    figures: list[Figure] = []
    failures = [why for name in chosen.name or BENCHMARKS if (why := run(name, figures))]
    print()
    width = None if sys.stdout.isatty() and not chosen.markdown else WIDTH
    Console(width=width).print(table(figures, markdown=chosen.markdown))
    print("\n".join([*machine, *failures]), flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
