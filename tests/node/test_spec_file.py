"""Specs as text."""

import pytest

from events.errors import InvalidSpec
from events.spec import JobSpec
from node.spec_file import TEXT_BYTES_MAX, load_spec

YAML = b"""\
# counts lines
engine: docker
image: python:3.12-slim
command: [sh, -c, 'wc -l "$LOTA_INPUTS"/*']
env:
  VERSION: "3.10"
  PORT: 8080
inputs:
  - source: ./data
    dest: data
deal: {replicas: 3, confidence: 2}
timeout: 90
"""
JSON = b"""{
\t"engine": "docker", "image": "python:3.12-slim",
\t"command": ["sh", "-c", "wc -l \\"$LOTA_INPUTS\\"/*"],
\t"env": {"VERSION": "3.10", "PORT": 8080},
\t"inputs": [{"source": "./data", "dest": "data"}],
\t"deal": {"replicas": 3, "confidence": 2}, "timeout": 90
}"""


def load(text: bytes) -> JobSpec:
    return load_spec(text, name="job.yaml")


def test_yaml_and_json() -> None:
    """The same spec in YAML and in JSON with tabs is the same spec."""
    found = load(YAML)

    assert load(JSON) == found
    assert found.env == {"VERSION": "3.10", "PORT": "8080"}
    assert (found.deal.replicas, found.timeout_ms) == (3, 90_000)


@pytest.mark.parametrize(
    "text", [b"{engine: noop}", b"\xef\xbb\xbfengine: noop", b"---\nengine: noop\n...\n"]
)
def test_forms(text: bytes) -> None:
    """YAML in braces, with a byte order mark or document marks is read as well."""
    assert load(text) == JobSpec(engine="noop")


def test_words() -> None:
    """Words and numbers of old YAML that people write as text are text."""
    found = load(b"engine: noop\ncommand: [no, on, yes, 0755, 12:30, 1_000, 2024-01-01, 0x1F, =]")

    assert found.command == ("no", "on", "yes", "0755", "12:30", "1_000", "2024-01-01", "0x1F", "=")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"engine: noop\n  name: x\n", "no YAML at line 2, column 7"),
        (b"engine: [noop\n", "no YAML at line 2, column 1"),
        (b"engine: noop\n\tname: x\n", "no YAML at line 2, column 1"),
        (b'{"engine": "noop",\n "name": "x"\n "labels": {}}', "no JSON at line 3, column 2"),
        (b"engine: noop\nname: x\nname: y\n", "line 3, column 1: 'name' is given twice"),
        (b'{"engine": "noop", "engine": "process"}', "'engine' is given twice"),
        (b'{"\\ud800": "noop"}', "has a name that is not Unicode"),
        (b"env: &e {A: b}\nlabels: *e\n", "aliases are not supported"),
        (b"engine: noop\n---\nengine: noop\n", "no YAML at line 2"),
        (b"engine: !!python/name:os.system x\n", "no YAML at line 1"),
        (b"? [a]\n: b\n", "line 1, column 3: a name has to be text"),
        (b"engine: \x07", "special characters are not allowed"),
        (b"engine: n\xffop", "not UTF-8 at byte 9"),
        (b"", "is nothing, not a mapping"),
        (b"- engine: noop", "is a list, not a mapping"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{" * 100_000, "nested too deeply"),
        (b"timeout: " + b"9" * 5000, "thousands of digits"),
        (b"#" * (TEXT_BYTES_MAX + 1), "the limit is 1,048,576"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_unreadable(text: bytes, what: str) -> None:
    """What is no JSON or YAML is refused with the line, and with what to do."""
    with pytest.raises(InvalidSpec) as caught:
        load(text)

    assert what in str(caught.value)
    assert caught.value.hint


def test_fields_are_named() -> None:
    """What reads well and is no spec is refused by the path of the field."""
    with pytest.raises(InvalidSpec) as caught:
        load(b"engine: noop\ndeal:\n  replica: 2\n")

    assert caught.value.path == "$.deal.replica"
