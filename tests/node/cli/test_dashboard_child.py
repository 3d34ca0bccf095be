"""The process that serves the dashboard of `lota dev`."""

import subprocess
import sys
from pathlib import Path


def test_it_ends_without_a_word_when_the_network_did_not_start(tmp_path: Path) -> None:
    """What went wrong is said by who started it, and a traceback would stand beside that."""
    command = (sys.executable, "-m", "node.cli.dashboard_child", "nats://127.0.0.1:1")
    done = subprocess.run(
        (*command, str(tmp_path)), input=b"", capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"?\n", b"")
