"""Trees that commands leave behind to be in the way: what is removed, and what is refused."""

import os
from pathlib import Path

import pytest

from events.errors import ExecutorError
from events.unixfs import MAX_DEPTH
from node.executors.removal import remove_tree
from node.executors.result import check_outputs
from tests.node.executors.deep import nest

DEEP = 3_000
"""Deeper than Python recurses, than a process may open files, and than a path may be long."""


def test_a_tree_of_any_depth_is_removed(tmp_path: Path) -> None:
    """What is too deep to be walked, opened or named is removed, files at the bottom too."""
    for name in ("d", "n" * 250):
        nest(tmp_path / "tree", DEEP, name=name)
        remove_tree(tmp_path / "tree")

        assert os.listdir(tmp_path) == []


def test_a_tree_of_any_modes_is_removed(tmp_path: Path) -> None:
    """Folders that may not be entered are removed with what is in them; links are not followed."""
    (tmp_path / "kept" / "a").mkdir(parents=True)
    for level in ("t", "t/a", "t/a/b", "t/a/b/c"):
        (tmp_path / level).mkdir()
        (tmp_path / level / "file").write_text("x")
        (tmp_path / level / "link").symlink_to(tmp_path / "kept")
        os.mkfifo(tmp_path / level / "pipe")
    for level in ("t/a/b/c", "t/a/b", "t/a", "t"):
        (tmp_path / level).chmod(0)
    remove_tree(tmp_path / "t")
    (tmp_path / "t").symlink_to(tmp_path / "kept")
    remove_tree(tmp_path / "t")
    remove_tree(tmp_path / "absent")

    assert os.listdir(tmp_path) == ["kept"]
    assert os.listdir(tmp_path / "kept") == ["a"]


@pytest.mark.parametrize(("name", "depth"), [("d", MAX_DEPTH), ("d", DEEP), ("n" * 250, 30)])
def test_outputs_that_cannot_be_walked_are_an_error(tmp_path: Path, name: str, depth: int) -> None:
    """Outputs are refused, with what to do, before anything walks them that would fail."""
    nest(tmp_path / "outputs", depth, name=name)
    with pytest.raises(ExecutorError) as refused:
        check_outputs(tmp_path / "outputs", 0)
    remove_tree(tmp_path / "outputs")

    assert refused.value.code == "result"
    assert refused.value.hint in ("nest them less", "use shorter names")


def test_outputs_as_deep_as_a_result_may_be_are_measured(tmp_path: Path) -> None:
    """The limit is that of a result, of which outputs/ is the first folder."""
    nest(tmp_path / "outputs", MAX_DEPTH - 1)
    check_outputs(tmp_path / "outputs", 4)
    with pytest.raises(ExecutorError, match="holds 4 bytes"):
        check_outputs(tmp_path / "outputs", 3)
