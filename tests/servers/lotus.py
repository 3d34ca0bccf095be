"""Puts an executable `lotus` into a folder, and reads and sets what its daemon does."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.servers import fake_lotus

MINER = "f01234"


class Lotus:
    """One fake daemon with its own state, and the executable that reaches it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "daemon"
        self.home.mkdir(parents=True, exist_ok=True)
        self.executable = folder / "lotus"
        # Without site packages: it starts some twenty times for every publication.
        script = f'#!/bin/sh\nexec "{sys.executable}" -I -S "{fake_lotus.__file__}" "$@"\n'
        self.executable.write_text(script, encoding="utf-8")
        self.executable.chmod(0o755)

    @property
    def credential(self) -> dict[str, str]:
        """What a node needs to make deals here."""
        return {
            "executable": str(self.executable),
            "path": str(self.home),
            "miner": MINER,
            "price": "0.0000000005",
            "duration": "518400",
        }

    def control(self, **fields: Any) -> None:
        """Set what shall happen from the next command on."""
        draft = self.home / "control.json.new"
        draft.write_text(json.dumps(fields), encoding="utf-8")
        draft.rename(self.home / "control.json")

    @property
    def state(self) -> dict[str, Any]:
        """What the daemon holds."""
        try:
            state: dict[str, Any] = json.loads((self.home / "state.json").read_bytes())
        except FileNotFoundError:
            return {"deals": {}, "imports": {}, "made": 0, "interactive": 0}
        return state

    @state.setter
    def state(self, state: dict[str, Any]) -> None:
        (self.home / "state.json").write_text(json.dumps(state), encoding="utf-8")

    @property
    def made(self) -> int:
        """How many deals were ever made: each was paid for."""
        return int(self.state["made"])

    @property
    def steps(self) -> int:
        """How many steps all commands have gone through."""
        try:
            return (self.home / "steps").stat().st_size
        except FileNotFoundError:
            return 0

    def calls(self) -> list[dict[str, Any]]:
        """How each command was called; a line that is just being written is left out."""
        text = (self.home / "calls.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]
