"""Bad input is refused before anything is appended, with the field, the fault, and what to do."""

from pathlib import Path

import pytest

from events.connection import connect
from events.jetstream import open_log
from tests.lota_process import Machine, Ran

SPECS = {
    "an unknown field": ("{engine: noop, comand: [x]}", "comand", "command"),
    "an unknown field inside": ("{engine: noop, deal: {replica: 2}}", "$.deal", "replicas"),
    "a wrong type": ("{engine: noop, deal: {replicas: two}}", "$.deal.replicas", "number"),
    "a text for a list": ("{engine: process, command: date}", "$.command", "list"),
    "no engine": ("{command: [date]}", "engine", "process"),
    "no command": ("{engine: process}", "$.command", "give the command"),
    "confidence above replicas": (
        "{engine: noop, deal: {replicas: 2, confidence: 3}}",
        "$.deal.confidence",
        "raise replicas",
    ),
    "an empty glob match": (
        "{engine: noop, inputs: [{source: data}], sharding: {glob: '*.csv'}}",
        "$.inputs[0].source",
        "globs are relative",
    ),
    "an unknown engine": ("{engine: spark}", "$.engine", "process"),
    "an engine to come": ("{engine: wasm, command: [x]}", "$.engine", "process"),
    "an unknown publisher": (
        "{engine: noop, publishers: [{driver: ftp}]}",
        "$.publishers[0].driver",
        "local",
    ),
    "a missing input path": (
        "{engine: noop, inputs: [{source: nowhere}]}",
        "$.inputs[0].source",
        "nowhere",
    ),
    "too many shards": ("{engine: noop, sharding: {count: 100001}}", "$.sharding.count", "100,000"),
    "too many replicas": ("{engine: noop, deal: {replicas: 1000}}", "$.deal.replicas", "100"),
    "too long a spec": (
        "{engine: noop, env: {A: " + "x" * 200_000 + "}}",
        "$",
        "limit",
    ),
    "an unreadable duration": ("{engine: noop, timeout: soon}", "$.timeout", "30m"),
    "an unreadable size": (
        "{engine: noop, resources: {memory: lots}}",
        "$.resources.memory",
        "512Mi",
    ),
    "no document": ("", "$", "engine"),
    "a list": ("[1, 2]", "$", "engine"),
    "no YAML": ("{engine: [", "spec.yaml", "line"),
}
LINES = {
    "a label without value": (["--label", "zone", "--", "date"], "--label", "KEY=VALUE"),
    "no command at all": ([], "$.command", "give the command"),
    "a missing input": (["--input", "nowhere", "--", "date"], "$.inputs[0].source", "nowhere"),
    "an unknown engine": (["--engine", "spark", "--", "date"], "engine", "process"),
    "too few replicas": (
        ["--replicas", "1", "--confidence", "2", "--", "date"],
        "$.deal.confidence",
        "replicas",
    ),
    "an unknown option": (["--replica", "2", "--", "date"], "--replica", "--help"),
}


def check(ran: Ran, field: str, advice: str) -> None:
    """Hold a refusal to what it owes the user."""
    assert (ran.code, ran.out) == (2, ""), ran
    said = ran.err.splitlines()
    assert said[0].startswith("lota: "), ran.err
    assert field in ran.err
    assert advice in ran.err
    assert len(said) >= 2, "there is no hint"
    assert "Traceback" not in ran.err


async def last_position(url: str) -> int:
    """Return where the log ends."""
    client = await connect(url, name="test")
    log = await open_log(client)
    last = await log.last()
    await log.close()
    await client.close()
    return last


@pytest.mark.parametrize("case", SPECS)
async def test_a_bad_spec_is_refused(
    case: str, machine: Machine, nats_url: str, tmp_path: Path
) -> None:
    """A spec that cannot run is exit code 2, and the log stays as it was."""
    text, field, advice = SPECS[case]
    (machine.empty / "data").mkdir()
    (machine.empty / "data" / "a.txt").write_text("a")
    (machine.empty / "spec.yaml").write_text(text)
    before = await last_position(nats_url)
    check(await machine.run("job", "submit", "spec.yaml", LOTA_SERVER=nats_url), field, advice)
    assert await last_position(nats_url) == before


@pytest.mark.parametrize("case", LINES)
async def test_a_bad_command_line_is_refused(case: str, machine: Machine, nats_url: str) -> None:
    """A job that cannot run is exit code 2 of `lota run` too, and the log stays as it was."""
    words, field, advice = LINES[case]
    before = await last_position(nats_url)
    check(await machine.run("run", *words, LOTA_SERVER=nats_url), field, advice)
    assert await last_position(nats_url) == before


async def test_a_spec_that_is_not_there(machine: Machine, nats_url: str) -> None:
    """A file that cannot be read is named."""
    ran = await machine.run("job", "submit", "nowhere.yaml", LOTA_SERVER=nats_url)
    check(ran, "nowhere.yaml", "name a spec file")


async def test_no_server(machine: Machine) -> None:
    """Without a server a command says which address it tried, and what to do."""
    ran = await machine.run("job", "ls", LOTA_SERVER="nats://127.0.0.1:1")
    assert (ran.code, ran.out) == (1, "")
    assert "127.0.0.1:1" in ran.err
    assert len(ran.err.splitlines()) >= 2
