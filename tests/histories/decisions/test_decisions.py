"""Logs of earlier versions, decided again: a change of what is decided is seen here."""

import json
import re
from pathlib import Path

import pytest

from events.archive.file_log import FileLog
from events.codec import KINDS
from events.decisions import Decision, NodeQuarantined
from node.policy import POLICIES, Policy
from tests.histories.decisions.verdicts import (
    NUMBERS,
    expected,
    histories,
    name_of,
    numbers,
    verdict,
)

HISTORIES = histories()
LOCAL = re.compile(rb"/(tmp|home|root|work|var|usr|Users|mnt)/|127\.0\.0\.1|localhost")


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
async def test_it_is_decided_again_as_expected(path: Path) -> None:
    """Today's code decides what was decided, by the rules of then, or differs where it is known."""
    assert await verdict(path) == expected()[name_of(path)]


def test_every_history_is_there() -> None:
    """No history was dropped: each that is expected has its file, and the other way round."""
    assert set(expected()) == {name_of(path) for path in HISTORIES}


def test_every_version_has_histories() -> None:
    """Each version of the policy that decisions can name has left logs, also the present one."""
    for version in POLICIES:
        logs = [path for path in HISTORIES if name_of(path).startswith(f"{version}-")]
        assert logs, f"{version}: make histories"
    assert Policy().version in POLICIES


def test_numbers_keep_their_version() -> None:
    """No number of a version ever changes: other numbers are another version (make histories)."""
    assert numbers() == json.loads(NUMBERS.read_text())


async def test_every_type_of_decision_is_there() -> None:
    """The present version's histories have every decision that Lota makes."""
    kinds: set[str] = set()
    for path in HISTORIES:
        if name_of(path).startswith(f"{Policy().version}-"):
            async for records in (await FileLog.open(path)).read():
                kinds.update(record.subject.split(".", 6)[6] for record in records)
    made = {KINDS[kind] for kind in Decision.__args__} - {KINDS[NodeQuarantined]}
    assert made <= kinds, made - kinds


@pytest.mark.parametrize("path", HISTORIES, ids=name_of)
async def test_nothing_of_the_machine_is_in_it(path: Path) -> None:
    """A history names no path or address of the machine that it was recorded on."""
    async for records in (await FileLog.open(path)).read():
        for record in records:
            assert not LOCAL.search(record.body), record.body
