"""The description of the API as a file: `python -m tests.node.web.api.description` writes it."""

import json
from pathlib import Path

from node.web.api.endpoints import description

ROOT = Path(__file__).parents[4]
FILE = ROOT / "docs" / "openapi.json"


def text() -> str:
    """Return what the file holds."""
    return json.dumps(description(), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file if it has changed."""
    if not FILE.exists() or FILE.read_text(encoding="utf-8") != text():
        FILE.write_text(text(), encoding="utf-8")
        print(FILE.relative_to(ROOT))


if __name__ == "__main__":
    main()
