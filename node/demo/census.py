"""Count lines, functions, classes and imports of the Python files in LOTA_INPUTS.

This is the demo's job. It runs as a plain script, once per shard, and knows nothing of Lota but
three environment variables. Its answer depends on the files alone, so that replicas agree.
"""

import ast
import json
import os
import sys
from pathlib import Path

COUNTED = ("files", "lines", "functions", "classes", "imports", "unparsable")


def count(source: bytes) -> dict[str, int]:
    """Return the counts for one file; one that does not parse counts its lines alone."""
    counts = dict.fromkeys(COUNTED, 0)
    counts["files"] = 1
    counts["lines"] = len(source.splitlines())
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        counts["unparsable"] = 1
        return counts
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            counts["functions"] += 1
        elif isinstance(node, ast.ClassDef):
            counts["classes"] += 1
        elif isinstance(node, ast.Import | ast.ImportFrom):
            counts["imports"] += 1
    return counts


def main() -> None:
    """Write outputs/files.jsonl, a line a file, and outputs/totals.json."""
    root = Path(os.environ["LOTA_INPUTS"], "stdlib")
    outputs = Path(os.environ["LOTA_OUTPUTS"])
    totals = dict.fromkeys(COUNTED, 0)
    with Path(outputs, "files.jsonl").open("w", encoding="utf-8") as lines:
        for path in sorted(root.rglob("*.py")):
            counts = count(path.read_bytes())
            name = path.relative_to(root).as_posix()
            lines.write(json.dumps({"path": name, **counts}) + "\n")
            for key in COUNTED:
                totals[key] += counts[key]
    Path(outputs, "totals.json").write_text(json.dumps(totals), encoding="utf-8")
    sys.stdout.write(f"{totals['files']} files, {totals['lines']} lines\n")


if __name__ == "__main__":
    main()
