"""The sweep: many seeds, and for the first that fails the shortest story that breaks as it did.

python -m tests.simulation --seeds 1000 [--start 0]     a sweep
python -m tests.simulation --seed 17                    one seed again
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.simulation.faults import KINDS
from tests.simulation.shrink import Failure, play, shrink
from tests.simulation.world import Plan

TOLD_EVERY_S = 5.0


def main() -> int:
    """Run what the command line asks for; 1 when an invariant broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone")
    args = parser.parse_args()
    seeds = range(args.start, args.start + args.seeds)
    failure = sweep(seeds if args.seed is None else range(args.seed, args.seed + 1))
    if failure is None:
        return 0
    print(f"seed {failure.plan.seed} broke: {failure.what}\n{failure.where}")
    print("looking for a shorter story ...", flush=True)
    tell(shrink(failure))
    return 1


class Trial(NamedTuple):
    """What one seed came to."""

    seed: int
    jobs: int
    events: int
    broke: bool


def trial(seed: int) -> Trial:
    """Play one seed."""
    world, failure = play(Plan(seed=seed))
    return Trial(seed, len(world.submitted), world.wire.log.last_now(), failure is not None)


def sweep(seeds: range) -> Failure | None:
    """Play all seeds, one a core at a time; return the first failure, played again here."""
    began = told = time.perf_counter()
    jobs = events = 0
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores) as pool:
        for done, tried in enumerate(pool.map(trial, seeds, chunksize=2), 1):
            if tried.broke:
                pool.shutdown(wait=False, cancel_futures=True)
                return play(Plan(seed=tried.seed))[1]
            jobs += tried.jobs
            events += tried.events
            now = time.perf_counter()
            if now - told >= TOLD_EVERY_S or done == len(seeds):
                told = now
                print(
                    f"{done:,} of {len(seeds):,} seeds, {jobs:,} jobs, {events:,} events in "
                    f"{now - began:.0f} s: {jobs / (now - began):.0f} jobs per second on "
                    f"{cores} cores",
                    flush=True,
                )
    return None


def tell(failure: Failure) -> None:
    """Print a failure with its log."""
    plan = failure.plan
    kinds = [kind for kind in KINDS if getattr(plan.faults, kind)]
    print(f"shortest: {plan.jobs} jobs, faults {kinds or 'none'}")
    print(f"  Plan {plan}")
    for line in failure.log:
        print(line)
    print(f"broken: {failure.what}\n{failure.where}")


if __name__ == "__main__":
    sys.exit(main())
