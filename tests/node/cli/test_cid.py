"""`lota cid` prints what a script can use."""

import json
from pathlib import Path

import pytest

from node.cli.cid import cid
from publishers.unixfs import tree_cid


def test_the_cid_stands_alone_on_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The root CID is the only output."""
    (tmp_path / "file").write_bytes(b"x")
    cid(tmp_path)
    assert capsys.readouterr() == (tree_cid(tmp_path).cid + "\n", "")


def test_json_adds_the_cumulative_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o json` prints one object with the CID and the size that a claim carries."""
    (tmp_path / "file").write_bytes(b"x")
    cid(tmp_path, output="json")
    tree = tree_cid(tmp_path)
    expected = {"cid": tree.cid, "dag_size_bytes": tree.dag_size_bytes}
    assert json.loads(capsys.readouterr().out) == expected
