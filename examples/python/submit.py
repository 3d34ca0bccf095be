"""Run a command as a job on two nodes, and wait until they agree on what it came to.

python submit.py COMMAND..., such as: python submit.py seq 3
"""

import asyncio
import sys

import events


async def main(command: list[str]) -> int:
    """Submit, wait, print how the job ended; return the exit code of this program."""
    spec = {"engine": "process", "command": command, "deal": {"replicas": 2}}
    async with events.connect() as lota:
        job = await lota.submit(spec)
        print("submitted", job, flush=True)
        outcome = await lota.wait(job, timeout_s=600)
    print(outcome.state, outcome.root_cid or outcome.reason)
    return 0 if outcome.state == "completed" else 1


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(asyncio.run(main(sys.argv[1:])))
