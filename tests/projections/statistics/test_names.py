"""The page that explains the numbers, held against what is counted."""

import re
from pathlib import Path

from projections.statistics import names
from projections.statistics.levels import EVER, LEVELS
from projections.statistics.span import told

PAGE = Path(__file__).resolve().parents[3] / "docs" / "statistics.md"


def test_the_page_explains_every_number() -> None:
    """Each name that is in every series is on the page, whole or as the end of a row's first."""
    page = PAGE.read_text(encoding="utf-8")
    spans = set(re.findall(r"(?<!`)`([^`\n]+)`(?!`)", page))
    every = (*names.COUNTS, *names.HISTOGRAMS, *names.GAUGES, *names.PEAKS.values(), names.EVENTS)
    missing = [n for n in every if n not in spans and f".{n.partition('.')[2]}" not in spans]

    assert missing == []


def test_the_page_tells_how_long_points_are_kept() -> None:
    """The table of what is kept for how long is that of the levels."""
    page = PAGE.read_text(encoding="utf-8")
    for level in LEVELS:
        width = "all of the log" if level == EVER else told(level.width_s)
        width = {"1 s": "1 second", "10 s": "10 seconds"}.get(width, width)
        kept = told(level.keep_s) if level.keep_s else "ever"
        assert f"| {width} | {kept} |" in page
