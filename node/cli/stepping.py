"""The steps of a log on the screen: one after the other by keys, or all of them."""

import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from node.cli.output import console
from node.cli.step_lines import lines
from projections.steps import Step

if TYPE_CHECKING:
    from rich.console import Console

    from node.cli.keys import Keys

BACK_MAX = 1_000
"""Steps that one can go back."""

PROMPT = "enter next, b back, /JOB, q quit "
AT_END = "end: b back, q quit "
ROLE_STYLES = {"g": "green", "r": "magenta", "c": "cyan"}


async def show_steps(steps: AsyncIterator[Step], *, as_lines: bool) -> None:
    """Show steps for people, by keys on a terminal and else all, or each as a line of JSON."""
    if as_lines:
        async for step in steps:
            sys.stdout.buffer.write(msgspec.json.encode(step.document()) + b"\n")
        return
    if sys.stdin.isatty() and sys.stdout.isatty():
        from node.cli.keys import Keys

        with Keys(sys.stdin.fileno()) as keys:
            await _Pager(steps, keys, console()).run()
        return
    async for step in steps:
        head, body, marks = lines(step)
        print("\n    ".join((head, *body, *marks)))


class _Pager:
    """Shows one step at a time; those that were seen are kept, so that one can go back."""

    def __init__(self, steps: AsyncIterator[Step], keys: "Keys", screen: "Console") -> None:
        self._steps = steps
        self._keys = keys
        self._screen = screen
        self._seen: deque[Step] = deque(maxlen=BACK_MAX)
        self._behind = 0  # how many of those seen come after the one on the screen

    async def run(self) -> None:
        from node.cli.keys import END, ENTER

        more = await self._next()
        while True:
            key = await self._ask(PROMPT if more or self._behind else AT_END)
            if key in ("q", END):
                return
            if key == "b":
                self._back()
                more = True
            elif key in (*ENTER, " "):
                more = await self._next()
            elif key == "/":
                more = await self._search(await self._line())

    async def _ask(self, prompt: str) -> str:
        """Wait for a key below what is shown, and clear the line again."""
        self._write(prompt)
        key = await self._keys.next()
        self._write("\r\x1b[K")
        return key

    async def _line(self) -> str:
        """Read a line key by key, as nothing else echoes them."""
        from node.cli.keys import BACKSPACE, END, ENTER

        text = ""
        while True:
            self._write(f"\r\x1b[K/{text}")
            key = await self._keys.next()
            if key in (*ENTER, END):
                self._write("\r\x1b[K")
                return text if key != END else ""
            if key in BACKSPACE:
                text = text[:-1]
            elif key.isprintable():
                text += key

    async def _next(self) -> bool:
        """Show the step that follows; False when there is none."""
        step = await self._forward()
        if step is None:
            return False
        _print(self._screen, step)
        return True

    async def _search(self, job: str) -> bool:
        """Go on to the next step of a job whose id begins so; False at the end of the log."""
        if not job:
            return True
        while (step := await self._forward()) is not None:
            if step.job.startswith(job):
                _print(self._screen, step)
                return True
        self._screen.print(f"no event of a job {job} follows", style="yellow", markup=False)
        return False

    async def _forward(self) -> Step | None:
        if self._behind:
            self._behind -= 1
            return self._seen[-1 - self._behind]
        async for step in self._steps:
            self._seen.append(step)
            return step
        return None

    def _back(self) -> None:
        if self._behind + 1 < len(self._seen):
            self._behind += 1
        if self._seen:
            _print(self._screen, self._seen[-1 - self._behind])

    def _write(self, text: str) -> None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _print(screen: "Console", step: Step) -> None:
    from rich.text import Text

    text = Text()
    head, body, marks = lines(step)
    text.append(head, style=f"bold {ROLE_STYLES.get(step.role, 'yellow')}")
    for style, those in (("", body), ("yellow", marks)):
        for line in those:
            text.append(f"\n    {line}", style=style)
    screen.print(text, soft_wrap=True)
