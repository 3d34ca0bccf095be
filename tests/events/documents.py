"""The documents of docs/events, as files: `python -m tests.events.documents` writes them anew.

Examples are the golden events, titles of rules come from docs/protocol.md. A document of a type
that has given way to a newer version is kept as it is, like its golden.
"""

import json
import re
from pathlib import Path
from typing import Any

from events.codec import TYPE_NAMES
from events.schema import asyncapi, catalogue
from events.schema.json_schema import BUNDLE, bundle, event_schema, file_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "events"
GOLDEN = ROOT / "tests" / "golden" / "events"


def documents() -> dict[str, str]:
    """Return what docs/events holds, by name of the file."""
    schemas = {file_name(name): _text(event_schema(name)) for name in TYPE_NAMES}
    examples = {name: (GOLDEN / f"{name}.json").read_bytes() for name in TYPE_NAMES}
    return {
        **schemas,
        file_name(BUNDLE): _text(bundle()),
        asyncapi.FILE: _text(asyncapi.asyncapi()),
        catalogue.FILE: catalogue.catalogue(examples, rules()),
    }


def rules() -> dict[int, str]:
    """Return the titles of the protocol's rules by number."""
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    return {
        int(number): title.lower()
        for number, title in re.findall(r"^(\d+)\. \*\*(.+?)\.\*\*", text, re.MULTILINE)
    }


def main() -> None:
    """Write what has changed."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(ROOT))


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
