"""Names of files as they can be shown: names are bytes, and a result's are a stranger's."""

import os
from urllib.parse import quote_from_bytes

_FIRST_STRAY, _LAST_STRAY = 0xDC80, 0xDCFF
"""What `os.fsdecode` makes of bytes that are not UTF-8."""


def printable(name: str) -> str:
    r"""Return a name without anything that a terminal would act on; no two names look the same.

    What is not printable is written as Python writes it: `\n`, `\x1b`, and `\xff` for bytes that
    are not UTF-8. A backslash becomes two.
    """
    if name.isprintable() and "\\" not in name:
        return name
    return "".join(_shown(character) for character in name)


def percent_encoded(name: str) -> str:
    """Return a name exactly, byte by byte, in letters that every tool can carry."""
    return quote_from_bytes(os.fsencode(name))


def _shown(character: str) -> str:
    number = ord(character)
    if _FIRST_STRAY <= number <= _LAST_STRAY:
        return f"\\x{number - 0xDC00:02x}"
    if character == "\\" or not character.isprintable():
        return character.encode("unicode_escape").decode()
    return character
