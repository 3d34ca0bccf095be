"""Syncing: every path is reached, by many fsyncs or by one syncfs, and failures are told."""

from pathlib import Path

import pytest

from publishers.durable import MAX_FSYNCS, make_durable, make_durable_folder, tree_paths


def test_a_tree_is_synced_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Files and folders at every depth are among the paths, the root too."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").touch()
    (tmp_path / ".hidden").touch()
    expected = {str(place) for place in (tmp_path, *tmp_path.rglob("*"))}
    assert set(tree_paths(str(tmp_path))) == expected


@pytest.mark.parametrize("count", [0, 1, MAX_FSYNCS, MAX_FSYNCS + 1, 3 * MAX_FSYNCS])
def test_any_number_of_paths_can_be_synced(count: int, tmp_path: Path) -> None:
    """Syncing few and many files both return."""
    for index in range(count):
        (tmp_path / str(index)).touch()
    make_durable((str(place) for place in tmp_path.iterdir()), str(tmp_path))


def test_a_path_that_cannot_be_synced_is_an_error(tmp_path: Path) -> None:
    """What is not there is not silently taken for durable."""
    with pytest.raises(FileNotFoundError):
        make_durable([str(tmp_path / "gone")], str(tmp_path))


def test_a_folder_can_be_made_durable_again(tmp_path: Path) -> None:
    """Making a folder with its parents is safe to repeat."""
    folder = tmp_path / "a" / "b"
    make_durable_folder(folder)
    make_durable_folder(folder)
    assert folder.is_dir()
