"""The command line itself: help, wrong usage, which server, and how errors end."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from events.client.contexts import DEFAULT_SERVER, Context, ContextFiles
from events.errors import LotaError, NotFound
from events.jetstream import JetStreamLog
from events.subjects import requests
from node.cli.durations import shown
from node.cli.main import main
from node.cli.server import Server, find_server
from tests.node.cli.conftest import Lota
from tests.node.cli.job_on_log import join

COMMANDS = [
    ("job", "submit"),
    ("job", "ls"),
    ("job", "describe"),
    ("job", "history"),
    ("job", "logs"),
    ("job", "wait"),
    ("job", "cancel"),
    ("job", "get"),
    ("result", "ls"),
    ("result", "cat"),
    ("result", "get"),
    ("node", "ls"),
    ("events", "tail"),
    ("events", "schema"),
    ("log", "stats"),
    ("log", "archive"),
    ("context", "ls"),
    ("context", "use"),
    ("context", "show"),
    ("context", "save"),
    ("cid",),
    ("version",),
]
BAD_SPECS = [
    ("engine: noop\nshrads: 3\n", "$.shrads"),
    ("engine: noop\ntimeout: [1]\n", "$.timeout"),
    ("engine: process\n", "$.command"),
    ("engine: noop\ndeal: {replicas: 1, confidence: 2}\n", "$.deal.confidence"),
    ("engine: quantum\n", "$.engine"),
    ("engine: noop\npublishers: [{driver: carrier-pigeon}]\n", "$.publishers[0].driver"),
    ("engine: noop\ninputs: [{source: /does/not/exist}]\n", "$.inputs[0].source"),
    ("engine: noop\nsharding: {count: 100001}\n", "$.sharding.count"),
    ("engine: noop\nengine: noop\n", "given twice"),
    ("{", "JSON"),
]


def cli(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a process of its own, with nothing but this in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "node.cli.main", *words],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@asynccontextmanager
async def forbidding_server() -> AsyncIterator[str]:
    """Give the URL of a server that admits nobody."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": "2.12.0", "max_payload": 1024, "auth_required": True}
        writer.write(f"INFO {json.dumps(info)}\r\n".encode())
        await reader.readline()
        writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_an_example(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """The help of every command says what it does and gives a line to try."""
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"Usage: lota {' '.join(command)}" in out
    assert f"Example: lota {' '.join(command)}" in out


def test_help_names_no_default_that_asks_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A default is told where it is one to know, and an engine where it is one to have."""
    assert main(["run", "--help"]) == 0
    out = capsys.readouterr().out
    assert "[default: process]" in out
    assert "[default: 1]" in out
    for nothing in ('""', "()", "0]", "False", "None", "]"):
        assert f"[default: {nothing}" not in out
    assert "wasm" not in out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The first help shows all there is and what the exit codes mean."""
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for word in (
        "dev",
        "demo",
        "run",
        "job",
        "node",
        "events",
        "log",
        "context",
        "cid",
        "Exit codes",
    ):
        assert word in out


def test_version_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """`lota version` and `lota --version` say the same."""
    assert main(["version"]) == 0
    assert main(["--version"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert first.startswith("lota ")


@pytest.mark.parametrize(
    "words",
    [
        ["job", "describe"],
        ["job", "ls", "--state", "happy"],
        ["job", "ls", "--limit", "-1"],
        ["job", "wait", "x", "--timeout", "soon"],
        ["events", "tail", "--type", "no.such"],
        ["events", "tail", "--since", "0"],
        ["events", "tail", "--since", "soon"],
        ["context", "save", "x", "--server", "y", "--user", "a"],
        ["cid", ".", "--nonsense"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What was typed wrong is said in two lines, before any server is asked."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("lota: ")
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize(("text", "named"), BAD_SPECS, ids=[named for _, named in BAD_SPECS])
async def test_a_bad_spec_is_refused(lota: Lota, tmp_path: Path, text: str, named: str) -> None:
    """The field is named, and so is what to do, and nothing is submitted."""
    (tmp_path / "spec.yaml").write_text(text)
    ran = await lota("job", "submit", str(tmp_path / "spec.yaml"))
    assert (ran.code, ran.out) == (2, "")
    assert named in ran.err
    assert len(ran.err.splitlines()) == 2


async def test_an_empty_match_is_refused(lota: Lota, tmp_path: Path) -> None:
    """A glob that matches nothing is found before the job is on the log."""
    (tmp_path / "a.txt").write_text("x")
    spec = {"engine": "noop", "inputs": [{"source": str(tmp_path)}], "sharding": {"glob": "*.csv"}}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    ran = await lota("job", "submit", str(tmp_path / "spec.json"))
    assert (ran.code, "matches none" in ran.err) == (2, True)


async def test_submit_prints_the_id_alone(lota: Lota, log: JetStreamLog, tmp_path: Path) -> None:
    """The id on stdout is that of the job which is on the log."""
    (tmp_path / "spec.yaml").write_text("engine: noop\nname: from a file\n")
    ran = await lota("job", "submit", str(tmp_path / "spec.yaml"))
    assert (ran.code, ran.err) == (0, "")
    assert await log.last(requests(ran.out.strip())) > 0


def test_a_dry_run_asks_no_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The normal form is printed with its defaults, and would be accepted again."""
    spec = tmp_path / "spec.yaml"
    spec.write_text("engine: noop\ndeal: {replicas: 3}\n")
    assert main(["job", "submit", str(spec), "--dry-run", "--server", "nats://127.0.0.1:1"]) == 0
    normal = json.loads(capsys.readouterr().out)
    assert normal["deal"] == {"replicas": 3, "confidence": 3}
    assert normal["verifier"] == "deterministic"


def test_no_server_says_how_to_start_one(capsys: pytest.CaptureFixture[str]) -> None:
    """When nobody listens, the address is named and the remedy too."""
    assert main(["job", "ls", "--server", "nats://127.0.0.1:1"]) == 1
    err = capsys.readouterr().err
    assert "127.0.0.1:1" in err
    assert "lota dev" in err


async def test_refused_credentials_are_exit_code_4(lota: Lota) -> None:
    """A server that does not admit us is told from one that is not there."""
    async with forbidding_server() as url:
        ran = await lota("job", "ls", server=url)
    assert (ran.code, "refused the credentials" in ran.err) == (4, True)


def test_debug_shows_where_it_came_from() -> None:
    """With --debug, anywhere before a `--`, the traceback is on stderr."""
    plain = cli("cid", "/no/such/folder")
    shown_ = cli("cid", "/no/such/folder", "--debug")
    by_variable = cli("cid", "/no/such/folder", LOTA_DEBUG="1")
    assert (plain.returncode, "Traceback" in plain.stderr) == (1, False)
    assert (shown_.returncode, "Traceback" in shown_.stderr) == (1, True)
    assert "Traceback" in by_variable.stderr


def test_the_server_is_found_in_order(tmp_path: Path) -> None:
    """The flag wins, then --context, LOTA_SERVER, the context in use, and this machine."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert find_server(None, environ).context.server == DEFAULT_SERVER
    files = ContextFiles(environ)
    files.save("lab", Context(server="nats://lab:1", token="t"))
    files.save("home", Context(server="nats://home:1"))
    files.use("lab")
    both = {**environ, "LOTA_SERVER": "nats://variable:1"}
    assert find_server(None, environ).context == Context(server="nats://lab:1", token="t")
    assert find_server(None, both).context.server == "nats://variable:1"
    assert find_server(Server(context="home"), both).context.server == "nats://home:1"
    named = find_server(Server(server="nats://flag:1", context="lab"), both).context
    assert named == Context(server="nats://flag:1")


def test_a_context_is_for_its_owner_only(tmp_path: Path) -> None:
    """Whatever is in a credential comes back as it was, from a file that others cannot read."""
    files = ContextFiles({"XDG_CONFIG_HOME": str(tmp_path)})
    context = Context(server="nats://é:1", user='a"b\\c', password="\n\x7f'😀")
    path = files.save("odd", context)
    assert files.load("odd") == context
    assert path.stat().st_mode & 0o077 == 0


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    """The names that there are come with the error."""
    files = ContextFiles({"XDG_CONFIG_HOME": str(tmp_path)})
    files.save("lab", Context(server="x"))
    with pytest.raises(NotFound, match="lab"):
        files.use("lob")
    with pytest.raises(LotaError, match="no name"):
        files.load("../../etc/passwd")


def test_contexts_by_the_command_line(tmp_path: Path) -> None:
    """A saved context is listed, used, and shown without its secret."""
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    words = ("--server", "nats://lab:1", "--user", "ann", "--password", "geheim")
    assert cli("context", "save", "lab", *words, **home).returncode == 0
    assert cli("context", "use", "lab", **home).returncode == 0
    (row,) = json.loads(cli("context", "ls", "-o", "json", **home).stdout)
    assert row == {"name": "lab", "server": "nats://lab:1", "login": "user", "in_use": True}
    ran = cli("context", "show", **home)
    assert "by the context lab" in ran.stdout
    assert "geheim" not in ran.stdout


@pytest.mark.parametrize("words", [["version"], ["job", "--help"]], ids=" ".join)
def test_a_closed_pipe_is_met_in_silence(words: list[str]) -> None:
    """When nobody reads stdout any more the command ends without a traceback."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb") as pipe:
        ran = subprocess.run(
            [sys.executable, "-m", "node.cli.main", *words],
            stdout=pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr) == (1, b"")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [["version"], ["job", "--help"], ["cid", "."]], ids=" ".join)
def test_a_full_disk_is_named(words: list[str], unbuffered: str, tmp_path: Path) -> None:
    """A command that cannot write its output says so, and why, and fails."""
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "node.cli.main", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            text=True,
        )
    assert ran.returncode == 1
    assert ran.stderr.splitlines() == [
        "lota: stdout cannot be written: No space left on device",
        "      what was printed is not whole",
    ]


def test_closed_streams_are_met_in_silence(tmp_path: Path) -> None:
    """A command whose stdout was closed before it began does what it has to."""
    ran = subprocess.run(
        ["sh", "-c", '"$0" -m node.cli.main context ls >&-', sys.executable],
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")


async def test_ctrl_c_is_exit_code_130(nats_url: str, log: JetStreamLog) -> None:
    """Following the log ends at Ctrl-C, without a traceback."""
    await join(log, "ctrl-c", "compute")
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "node.cli.main",
            "events",
            "tail",
            "--follow",
            "--type",
            "node.joined",
        ),
        *("--server", nats_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize(
    ("ms", "text"),
    [(-5, "0ms"), (999, "999ms"), (4_200, "4.2s"), (432_000, "7m12s"), (11_100_000, "3h05m")],
)
def test_durations_are_short(ms: int, text: str) -> None:
    """A duration is shown in the two units that matter."""
    assert shown(ms) == text


def test_a_spec_comes_from_stdin() -> None:
    """A dash stands for stdin."""
    ran = subprocess.run(
        [sys.executable, "-m", "node.cli.main", "job", "submit", "-", "--dry-run"],
        input=b"engine: noop\nname: piped\n",
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, json.loads(ran.stdout)["name"]) == (0, "piped")


@pytest.mark.parametrize("words", [["webhook", "rm"], ["car", "verify"]], ids=" ".join)
def test_several_arguments_are_named(words: list[str]) -> None:
    """The help of a command that takes one or more of something says of what, and so does the error
    without any.
    """
    name = {"rm": "WEBHOOK", "verify": "FILES"}[words[-1]]
    assert f"{' '.join(words)} [OPTIONS] {name}..." in cli(*words, "--help").stdout
    assert name in cli(*words).stderr
