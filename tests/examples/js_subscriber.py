"""The subscriber in JavaScript; `python -m tests.examples.js_subscriber` gets its packages."""

import shutil
from pathlib import Path

from tests.servers.npm_package import NpmPackage

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "examples" / "javascript"
PACKAGE = NpmPackage("js_subscriber", SOURCES, use="the tests of the subscriber in JavaScript")


def js_subscriber(folder: Path) -> Path:
    """Place the program in `folder` beside its packages and the schemas, as in a checkout.

    Skips the test where its packages are not installed. With LOTA_REQUIRE_SERVICES=1 it fails.
    """
    PACKAGE.require(__name__)
    example = folder / "examples" / "javascript"
    example.mkdir(parents=True)
    (example / "node_modules").symlink_to(PACKAGE.folder / "node_modules")
    (folder / "docs").symlink_to(ROOT / "docs")
    return Path(shutil.copy(SOURCES / "subscribe.mjs", example))


if __name__ == "__main__":
    PACKAGE.install()
