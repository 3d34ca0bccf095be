"""The console sessions in README.md, typed as they stand there."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.acceptance.console_blocks import BETWEEN, Session, matches, script, sessions
from tests.lota_process import LOTA, Machine

PAGE = Path(__file__).resolve().parents[2] / "README.md"
SESSIONS = sessions(PAGE.read_text(encoding="utf-8"))
SAMPLE = """
```console run
$ echo one \\
>   two
one *o
$ false
$ echo $?; seq 5
1
1
...
5
```

```console
$ not run
```
"""


async def typed(session: Session, machine: Machine) -> list[tuple[str, str, list[str]]]:
    """Type a session and return each command with what it printed and what it was to print."""
    async with AsyncExitStack() as stack:
        if session.needs == "dev":
            dev = await stack.enter_async_context(machine.start(LOTA, "dev"))
            await dev.line("compute nodes are ready")
        shell = await stack.enter_async_context(machine.start("sh", "-c", script(session)))
        ran = await shell.end()
    printed = ran.out.split(BETWEEN)[:-1]
    return [
        (step.command, text, step.expected)
        for step, text in zip(session.steps, printed, strict=True)
    ]


@pytest.mark.parametrize("session", SESSIONS, ids=lambda session: f"line-{session.line}")
async def test_the_page_shows_what_is_printed(session: Session, machine: Machine) -> None:
    """Every session of the page goes as it says."""
    for command, printed, expected in await typed(session, machine):
        assert matches(printed, expected), f"$ {command}\n{printed}\nis not\n{expected}"


async def test_a_session_is_typed_into_one_shell(machine: Machine) -> None:
    """Blocks that are marked are found, their commands joined, and exit codes kept."""
    (session,) = sessions(SAMPLE)
    assert (session.line, session.needs) == (2, "run")
    results = await typed(session, machine)
    assert [printed for _, printed, _ in results] == ["one two\n", "", "1\n1\n2\n3\n4\n5\n"]
    assert all(matches(printed, expected) for _, printed, expected in results)


def test_what_differs_is_found() -> None:
    """A star does not reach into the next line, and nothing may be missing."""
    assert not matches("a\nb\n", ["*"])
    assert not matches("a\n", ["a", "b"])
    assert not matches("a\nb\nc\n", ["...", "b"])
    assert matches("a\nb\nc\n", ["a", "..."])
    assert matches("", ["..."])
