"""The driver `local` on a disk that fills up: a real one of a megabyte, seen by one process."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.publishing import SMALL_CID

REPOSITORY = Path(__file__).parents[2]


def on_small_disk(folder: Path, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """Run a command for which a megabyte is mounted at `folder`; nobody else sees it."""
    mount = f"mount -t tmpfs -o size=1m none {shlex.quote(str(folder))}"
    command = f'{mount} && exec "$@"'
    return subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", command, "sh", *words],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
        timeout=60,
    )


def test_a_full_disk_is_told_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    """What does not fit is not visible, the error says that room helps, and what fits goes on."""
    small = tmp_path / "small"
    small.mkdir()
    if (tried := on_small_disk(small, "true")).returncode != 0:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.decode().strip()}")
    ran = on_small_disk(small, sys.executable, "-m", "tests.contracts.small_disk", small, folder)
    assert ran.returncode == 0, ran.stderr.decode()
    told = json.loads(ran.stdout)
    assert (told["code"], told["permanent"]) == ("disk-full", False)
    assert told["hint"]
    assert told["visible"] == []
    assert told["fitted"] == SMALL_CID
