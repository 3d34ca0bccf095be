"""`lota demo`: what it counts is what is there."""

import ast
import os
import re
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.lota_process import Machine


def sources(folder: str) -> Iterator[Path]:
    """Yield the standard library's own source files."""
    for entry in os.scandir(folder):
        if entry.name in ("site-packages", "dist-packages") or entry.is_symlink():
            continue
        if entry.is_dir():
            yield from sources(entry.path)
        elif entry.name.endswith(".py"):
            yield Path(entry.path)


def statements(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield statements and those inside of them; expressions hold none that are counted."""
    for node in nodes:
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inside = getattr(node, name, ())
            if isinstance(inside, list):
                yield from statements(inside)


def census() -> Counter[str]:
    """Count lines, functions, classes and imports; files that do not parse apart."""
    totals: Counter[str] = Counter()
    kinds = {
        ast.FunctionDef: "functions",
        ast.AsyncFunctionDef: "functions",
        ast.ClassDef: "classes",
        ast.Import: "imports",
        ast.ImportFrom: "imports",
    }
    for path in sources(os.path.realpath(sysconfig.get_path("stdlib"))):
        text = path.read_bytes()
        totals["files"] += 1
        totals["lines"] += len(text.splitlines())
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            totals["unparsable"] += 1
            continue
        found = statements(tree.body)
        totals.update(kinds[type(node)] for node in found if type(node) in kinds)
    return totals


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
async def test_the_demo_counts_what_is_there(machine: Machine) -> None:
    """Its totals, summed from published shards, equal a count made here without Lota."""
    ran = await machine.run("demo")
    assert ran.code == 0, ran.err
    shown = {
        name: int(number.replace(",", ""))
        for number, name in re.findall(r"^ +([\d,]+)  (\w+)$", ran.out, re.MULTILINE)
    }
    assert shown == dict(census())
    assert "baf" in ran.out
    assert machine.left() == []
    (job,) = machine.published.glob("[0-9]*")
    assert len(list(job.iterdir())) == 12
