r"""Console sessions in a page, which a test types and compares.

A block that opens with "```console run" is typed on a machine with nothing running, one with
"```console dev" while `lota dev` runs. Its lines that begin with "$ " are typed one after the other
into one shell, in an empty folder; a line that ends with a backslash goes on in the next. The lines
below a command are what it prints, stdout and stderr together; in them `*` stands for anything
within a line, and a line that is `...` for any number of lines. Other blocks are not run.
"""

import re
from fnmatch import translate
from typing import NamedTuple

BLOCK = re.compile(r"^```console (run|dev)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BETWEEN = "\x1e"


class Step(NamedTuple):
    """One command, and the lines that it is to print."""

    command: str
    expected: list[str]


class Session(NamedTuple):
    """One block: where it begins, what it needs, and its commands."""

    line: int
    needs: str
    steps: list[Step]


def sessions(page: str) -> list[Session]:
    """Return the blocks of a page that are to be run."""
    return [
        Session(page.count("\n", 0, block.start()) + 1, block[1], _steps(block[2]))
        for block in BLOCK.finditer(page)
    ]


def script(session: Session) -> str:
    """Return what a shell is to run: every command, and between them a mark that keeps `$?`."""
    mark = "printf '\\036'; (exit $kept)"
    lines = "".join(f"{step.command}\nkept=$?; {mark}\n" for step in session.steps)
    return f"exec 2>&1\n{lines}"


def matches(printed: str, expected: list[str]) -> bool:
    """Say whether the lines printed are those expected."""
    parts = [
        r"(?:[^\n]*\n)*"
        if line == "..."
        else translate(line).removesuffix(r"\Z").replace("(?s:", "(?-s:") + r"\n"
        for line in expected
    ]
    text = printed if printed.endswith("\n") or not printed else printed + "\n"
    return re.fullmatch("".join(parts), text) is not None


def _steps(body: str) -> list[Step]:
    steps: list[Step] = []
    goes_on = False
    for line in body.splitlines():
        if goes_on:
            steps[-1] = Step(f"{steps[-1].command}\n{line.removeprefix('> ')}", [])
        elif line.startswith("$ "):
            steps.append(Step(line.removeprefix("$ "), []))
        else:
            steps[-1].expected.append(line)
            continue
        goes_on = line.endswith("\\")
    return steps
