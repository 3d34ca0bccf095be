"""The state folder: one node's at a time, and its owner's alone."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from events.errors import NodeBusy
from node.state import StateFolder, default_folder

HOLDER = """
import sys
from pathlib import Path
from node.state import StateFolder
StateFolder(Path(sys.argv[1])).lock()
print("locked", flush=True)
sys.stdin.read()
"""


def test_second_holder_is_refused(tmp_path: Path) -> None:
    """A folder in use is refused with its name and the process that holds it."""
    with StateFolder(tmp_path / "n"), pytest.raises(NodeBusy) as refused:
        StateFolder(tmp_path / "n").lock()

    assert str(tmp_path / "n") in str(refused.value)
    assert f"process {os.getpid()}" in str(refused.value)
    assert refused.value.hint


def test_lock_ends_with_its_process(tmp_path: Path) -> None:
    """A killed process holds its folder until it is dead, and not a moment longer."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(NodeBusy, match=str(holder.pid)):
            StateFolder(tmp_path).lock()
        holder.kill()
    StateFolder(tmp_path).lock()


def test_commands_do_not_inherit_the_lock(tmp_path: Path) -> None:
    """A command that outlives its node does not keep the node's folder."""
    with StateFolder(tmp_path):
        child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    StateFolder(tmp_path).lock()

    child.communicate()


def test_unlock_may_be_repeated(tmp_path: Path) -> None:
    """A folder that was let go can be let go again and taken anew."""
    folder = StateFolder(tmp_path)
    folder.lock()
    folder.unlock()
    folder.unlock()

    with folder:
        pass


def test_folders_are_private(tmp_path: Path) -> None:
    """What a node keeps is readable to its owner alone."""
    with StateFolder(tmp_path / "deep" / "n") as folder:
        made = [folder.path, folder.results, folder.inputs]

        assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3


def test_default_folder_has_the_node_name() -> None:
    """Nodes of one machine do not share a folder unless they are told to."""
    assert default_folder("a") != default_folder("b")
    assert default_folder("a").name == "a"
