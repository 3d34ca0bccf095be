"""docs/python.md: its code is typed into one session on a live network, and prints what it says."""

import ast
import io
import re
from contextlib import redirect_stdout
from inspect import isawaitable
from pathlib import Path
from typing import Any

from node.local import LocalConfig, LocalNetwork
from tests.acceptance.console_blocks import matches

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


async def typed(code: str, session: dict[str, Any]) -> str:
    """Run a block as `python -m asyncio` does, and return what it printed."""
    compiled = compile(code, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with redirect_stdout(io.StringIO()) as printed:
        running = eval(compiled, session)
        if isawaitable(running):
            await running
    return printed.getvalue()


async def test_the_page_prints_what_it_says(tmp_path: Path) -> None:
    """Every block of the page goes as the block below it says."""
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    config = LocalConfig(
        folder=tmp_path, publish_root=tmp_path / "published", engines=("noop", "process")
    )
    session: dict[str, Any] = {}
    async with LocalNetwork(config) as network:
        for code, expected in blocks:
            here = code.replace("connect()", f"connect({network.url!r})")
            printed = await typed(here, session)
            assert matches(printed, expected.splitlines()), f"{code}\n{printed}\nis not\n{expected}"

    assert len(blocks) >= 7
