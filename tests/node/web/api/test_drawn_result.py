"""What a page shows of an output: its beginning, as text, and in good time."""

import asyncio

import pytest

from events.errors import NodeSilent
from node.web.api.drawn_result import beginning, patience


def test_an_output_that_fits_is_shown_whole() -> None:
    """Bytes that are no text get a mark, and nothing else is changed."""
    assert beginning(b"a\xff\r\n", 4) == {"text": "a\N{REPLACEMENT CHARACTER}\r\n", "whole": True}
    assert beginning("ü".encode()[:1], 4)["text"] == "\N{REPLACEMENT CHARACTER}"


def test_no_character_is_cut_in_two() -> None:
    """What the bound cuts through is left for the rest, which can be saved."""
    assert beginning("aüb".encode(), 2) == {"text": "a", "whole": False}


async def test_a_page_does_not_wait_for_a_node_that_is_silent() -> None:
    """What takes longer is told in the status line, with what waits for it."""
    with pytest.raises(NodeSilent, match=r"stdout has not come within 0\.01 s") as caught:
        async with patience("stdout", within_s=0.01):
            await asyncio.Event().wait()
    assert "lota job logs" in caught.value.hint
