"""What comes of each history: what is decided again, and what its audit says."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from events.archive.file_log import FileLog
from node.cli.audit import scope_of
from node.cli.audited_file import audit_file
from node.decide.replay import Check
from node.policy import POLICIES

FOLDER = Path(__file__).parent
SUFFIX = ".jsonl.zst"
EXPECTED = FOLDER / "expected.json"
NUMBERS = FOLDER / "policies.json"


def histories() -> list[Path]:
    """Return all histories, of every version."""
    return sorted(FOLDER.glob(f"*{SUFFIX}"))


def name_of(path: Path) -> str:
    """Return what a history is called: the version of its policy and its story."""
    return path.name.removesuffix(SUFFIX)


async def verdict(path: Path) -> dict[str, Any]:
    """Return what deciding again and the audit make of one history now."""
    log = await FileLog.open(path)
    check = Check(nodes=scope_of(log.header).nodes)
    async for records in log.read():
        for record in records:
            check.take(record)
    report = await audit_file(path)
    found = Counter(f"{finding.kind} {finding.type}" for finding in report.findings)
    return {"check": msgspec.to_builtins(check.finish()), "audit": dict(sorted(found.items()))}


async def verdicts() -> str:
    """Return the verdicts on all histories as they stand in `expected.json`."""
    found = {name_of(path): await verdict(path) for path in histories()}
    return json.dumps(found, indent=1) + "\n"


def numbers() -> dict[str, Any]:
    """Return every number of each version of the policy, as the code has them now."""
    return {
        version: {
            name: sorted(value) if isinstance(value, list) else value
            for name, value in msgspec.to_builtins(policy, order="sorted").items()
        }
        for version, policy in sorted(POLICIES.items())
    }


def expected() -> dict[str, Any]:
    """Return what is expected of each history."""
    loaded: dict[str, Any] = json.loads(EXPECTED.read_text())
    return loaded
