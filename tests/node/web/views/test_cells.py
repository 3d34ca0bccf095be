"""Shards as cells: which are drawn how, and what each says."""

import pytest

from node.web.views.cells import CELLS_MAX, cells, chosen_cell
from node.web.views.html import render

HREF = "#/jobs/j?shard=~place~"


def test_a_cell_says_its_shard() -> None:
    """Each place has the number of its shard and what that has come to; the signs differ too."""
    drawn = render(cells(["completed", "failed", "running"], None, HREF))
    assert 'data-places="0 shard 0: completed\n1 shard 1: failed\n2 shard 2: running"' in drawn
    assert 'aria-label="3 shards: 1 completed, 1 failed, 1 running"' in drawn
    for kind in ("cell good", "cell bad", "cell cross", "cell busy", "cell bolt"):
        assert drawn.count(f'class="{kind}"') == 1


def test_no_shard_that_failed_is_hidden_by_others() -> None:
    """Of several shards in a cell the worst decides how it looks, and all are told."""
    states = ["completed"] * CELLS_MAX * 2
    states[7] = "failed"
    drawn = render(cells(states, None, HREF))
    assert "6 shards 6 to 7: 1 completed, 1 failed" in drawn
    assert drawn.count("h14v14h-14z") == CELLS_MAX + 1  # and the cursor


@pytest.mark.parametrize(
    ("shards", "chosen", "corner"), [(12, 3, "48 0"), (90, 41, "16 16"), (3200, 41, "320 0")]
)
def test_the_chosen_shard_is_marked_where_its_cell_is(
    shards: int, chosen: int, corner: str
) -> None:
    """The mark lies on the cell that has the shard, however many have one cell."""
    mark = render(chosen_cell(shards, chosen))
    assert f'd="M{corner}h14v14h-14z"' in mark
