"""Single keys from a terminal, as they are pressed and without their echo."""

import asyncio
import codecs
import os
import termios
import tty
from types import TracebackType
from typing import Any, Self

END = "\x04"
"""What Ctrl-D is; also told when the terminal has gone."""
BACKSPACE = "\x08\x7f"
ENTER = "\r\n"


class Keys:
    """The keys of the terminal `fd` for the time of a `with`; Ctrl-C stays a signal."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pressed: asyncio.Queue[str] = asyncio.Queue()
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        asyncio.get_running_loop().add_reader(self._fd, self._read)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    async def next(self) -> str:
        """Wait for a key and return it."""
        return await self._pressed.get()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, 1024)
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._fd)
        for key in self._decode(data) or END:
            self._pressed.put_nowait(key)
