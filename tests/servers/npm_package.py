"""A package of npm's that tests need, beside the virtual environment's packages and pinned exactly.

`make` installs each once where there is npm; what it finds complete and unchanged it leaves alone.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LOCK = "package-lock.json"


class NpmPackage:
    """What the lock file in `sources` pins, installed into `.venv/<name>`; `use` says what for."""

    def __init__(self, name: str, sources: Path, *, use: str) -> None:
        self.folder = Path(sys.prefix) / name
        self._name = name
        self._sources = sources
        self._use = use

    def install(self) -> None:
        """Install it, once; a broken or older installation is made anew. Blocks."""
        if self._is_current():
            return
        if shutil.which("npm") is None:
            print(f"No npm here: {self._use} will skip")
            return
        print(f"Installing {self._name} from npm, for {self._use}")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        for name in ("package.json", LOCK):
            shutil.copy(self._sources / name, self.folder)
        quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if subprocess.run(["npm", "ci", *quiet], cwd=self.folder, check=False).returncode:
            print(f"npm could not install {self._name}: {self._use} will skip")
            return
        shutil.copy(self._sources / LOCK, self.folder / "complete")

    def require(self, module: str) -> None:
        """Skip the test where it is not installed, and with LOTA_REQUIRE_SERVICES=1 fail it."""
        if self._is_current():
            return
        reason = f"{self._name} is not installed: python -m {module} does it, given npm"
        if os.environ.get("LOTA_REQUIRE_SERVICES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)

    def _is_current(self) -> bool:
        """Say whether the installation was completed, and from the lock file as it is now."""
        complete = self.folder / "complete"
        if shutil.which("node") is None or not complete.exists():
            return False
        return complete.read_bytes() == (self._sources / LOCK).read_bytes()
