"""Taste as a failing test: what ruff, mypy and import-linter cannot say about this repository.

A rule is a function from one file to its findings, so that each is itself tested on a bad example;
its message says what to do instead. Docstrings of modules, classes and functions are ruff's.
"""

import ast
import functools
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import events.errors

ROOT = Path(__file__).resolve().parents[1]

SOURCE_LINES_MAX = 400
TEST_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
COUNTED_SUFFIXES = {".py", ".js", ".css", ".html", ".sh"}

CORE = ("events/", "projections/", "node/decide/")
EMPTY_NAMES = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
# Not a function of the arguments: the clock, the disk, and what differs from process to process.
IMPURE_CALLS = {"hash", "id", "input", "now", "open", "print", "today", "utcnow"}

# Brackets keep a pattern from finding itself: this file keeps its own rules.
LEFTOVER = re.compile(r"\b(TOD[O]|FIXM[E]|XX[X])\b")
UNWRITTEN = re.compile(r"NotImplemented[E]rror")
REGISTRY_HOST = re.compile(r"pypi[.]org|pythonhosted[.]org|registry[.]npmjs|deb[.]debian[.]org")
MACHINE_PATH = re.compile(r"/(?:home|Users|work|mnt)/[A-Za-z.]")

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class File:
    """One file of the checkout; `path` is relative, with slashes."""

    path: str
    text: str

    @property
    def python(self) -> bool:
        return self.path.endswith(".py")

    @property
    def test(self) -> bool:
        return self.path.startswith("tests/")

    @property
    def module(self) -> str:
        """The dotted name; a package's is that of its folder."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @functools.cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text, self.path))) if self.python else []

    def calls(self) -> Iterator[tuple[int, str]]:
        """Yield the line and the dotted name of each call."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node.lineno, ast.unparse(node.func)

    def matches(self, pattern: re.Pattern[str]) -> Iterator[str]:
        """Yield a finding for each line that holds the pattern."""
        for number, line in enumerate(self.text.splitlines(), 1):
            if pattern.search(line):
                yield f"{self.path}:{number}: {line.strip()[:80]}"


Rule = Callable[[File], Iterable[str]]


@functools.cache
def checkout() -> tuple[File, ...]:
    """Read every text file that is committed, or would be by `git add .`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = []
    for path in sorted(set(listing.split("\0")) - {""}):
        try:
            files.append(File(path, (ROOT / path).read_text(encoding="utf-8")))
        except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
            continue  # deleted and not yet committed, another checkout inside, or not text
    return tuple(files)


@functools.cache
def pyproject() -> dict[str, Any]:
    """Read the configuration that the rules share with the tools."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def contract(name: str) -> dict[str, Any]:
    """Return import-linter's contract of that id."""
    contracts: list[dict[str, Any]] = pyproject()["tool"]["importlinter"]["contracts"]
    return next(one for one in contracts if one["id"] == name)


def shell() -> set[str]:
    """Return the modules that stand in the folders of the core and are there to do I/O."""
    return {name for name in contract("purity")["forbidden_modules"] if "." in name}


def demand(findings: Iterable[str], instead: str) -> None:
    """Fail with a table of the findings and what to do about them."""
    table = sorted(findings)
    assert not table, "\n".join([instead, *(f"  {row}" for row in table)])


def demand_everywhere(rule: Rule, instead: str) -> None:
    """Fail with what a rule finds in the checkout."""
    demand((finding for file in checkout() for finding in rule(file)), instead)


def long_file(file: File) -> Iterator[str]:
    """Find a file of too many lines."""
    limit = TEST_LINES_MAX if file.test else SOURCE_LINES_MAX
    lines = file.text.count("\n")
    if Path(file.path).suffix in COUNTED_SUFFIXES and lines > limit:
        yield f"{file.path}: {lines} lines, at most {limit}"


def long_function(file: File) -> Iterator[str]:
    """Find functions of too many lines, docstring included."""
    for node in file.nodes:
        if isinstance(node, DEFINITIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{file.path}:{node.lineno}: {node.name}, {lines} lines"


def silent_test(file: File) -> Iterator[str]:
    """Find tests that do not state their fact in one sentence."""
    for node in file.nodes:
        if not (file.test and isinstance(node, DEFINITIONS) and node.name.startswith("test_")):
            continue
        sentence = ast.get_docstring(node) or ""
        if not sentence.endswith(".") or re.search(r"[.!?]\s+[A-Z]|\n\n", sentence):
            yield f"{file.path}:{node.lineno}: {node.name}: {sentence!r}"


def sleeping_test(file: File) -> Iterator[str]:
    """Find calls that wait for time to pass."""
    for line, name in file.calls():
        if file.test and name.endswith("sleep"):
            yield f"{file.path}:{line}: {name}"


def patched_test(file: File) -> Iterator[str]:
    """Find doubles that are patched in."""
    for line, name in file.calls():
        if file.test and ("patch" in name.rpartition(".")[2] or name.startswith("mock")):
            yield f"{file.path}:{line}: {name}"
    for node in file.nodes:
        if file.test and isinstance(node, ast.arg) and node.arg in {"monkeypatch", "mocker"}:
            yield f"{file.path}:{node.lineno}: {node.arg}"


def leftover(file: File) -> Iterator[str]:
    """Find notes to oneself and code that is not there."""
    yield from file.matches(LEFTOVER)
    if file.python and not file.test:
        yield from file.matches(UNWRITTEN)


def empty_name(file: File) -> Iterator[str]:
    """Find files and folders whose name does not say what they are about."""
    if EMPTY_NAMES & set(Path(file.path).with_suffix("").parts):
        yield file.path


def declared_only(function: ast.AsyncFunctionDef) -> bool:
    """Say whether a function is the method of a port: a port names what waits and does not wait."""
    return ast.unparse(function.body[-1]) == "..."


def impure(file: File) -> Iterator[str]:
    """Find in a module of the core what its imports do not show."""
    exempt = any(file.module == name or file.module.startswith(f"{name}.") for name in shell())
    if exempt or not (file.python and file.path.startswith(CORE)):
        return
    for node in file.nodes:
        if isinstance(node, ast.AsyncFunctionDef) and not declared_only(node):
            yield f"{file.path}:{node.lineno}: async def {node.name}"
    for line, name in file.calls():
        if name.rpartition(".")[2] in IMPURE_CALLS:
            yield f"{file.path}:{line}: {name}()"


def registry_host(file: File) -> Iterator[str]:
    """Find hosts of package registries, and the lock file that is full of them."""
    yield from file.matches(REGISTRY_HOST)
    if Path(file.path).name == "uv.lock":
        yield file.path


def machine_path(file: File) -> Iterator[str]:
    """Find paths that exist on one developer's machine only."""
    yield from file.matches(MACHINE_PATH)


def dangling_link(file: File) -> Iterator[str]:
    """Find links of a page to files that are not there."""
    if not file.path.endswith(".md"):
        return
    for target in re.findall(r"\]\(([^)#\s]+)", file.text):
        if "://" not in target and not (ROOT / file.path).parent.joinpath(target).exists():
            yield f"{file.path}: {target}"


def mentions(file: File) -> Iterator[str]:
    """Yield the dotted names that a file imports or, in a command or a string, names."""
    if file.path.endswith(".md"):
        return  # to be described is not to be used
    yield from re.findall(r"\b[a-z_]\w*(?:\.\w+)+", file.text)
    for path in re.findall(r"\b([\w/]+)\.py\b", file.text):
        yield path.replace("/", ".")
        yield str(Path(file.path).parent / path).replace("/", ".")
    package = file.module if file.path.endswith("__init__.py") else file.module.rpartition(".")[0]
    for node in file.nodes:
        if isinstance(node, ast.ImportFrom):
            around = package.split(".")[: len(package.split(".")) - node.level + 1]
            origin = ".".join([*(around if node.level else []), *filter(None, [node.module])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def collected(file: File) -> bool:
    """Say whether Python or pytest finds a file without anybody naming it."""
    name = Path(file.path).name
    return name in {"__init__.py", "__main__.py", "conftest.py"} or name.startswith("test_")


BAD_EXAMPLES: list[tuple[Rule, str, str]] = [
    (long_file, "events/long.py", "\n" * 401),
    (long_file, "tests/test_long.py", "\n" * 601),
    (long_function, "events/long.py", "def f():\n" + "    x = 1\n" * 70),
    (silent_test, "tests/test_a.py", "def test_a(): ..."),
    (silent_test, "tests/test_a.py", "def test_a():\n    'No full stop'"),
    (silent_test, "tests/test_a.py", "def test_a():\n    'One. Two.'"),
    (sleeping_test, "tests/test_a.py", "async def test_a():\n    await asyncio.sleep(1)"),
    (patched_test, "tests/test_a.py", "def test_a(monkeypatch): ..."),
    (patched_test, "tests/test_a.py", "mock.patch('events.log')"),
    (leftover, "docs/a.md", "TO" + "DO: write"),
    (leftover, "node/a.py", "raise NotImpl" + "ementedError"),
    (empty_name, "node/utils.py", ""),
    (empty_name, "node/common/clock.py", ""),
    (impure, "events/codec.py", "async def f():\n    return 1"),
    (impure, "events/codec.py", "stamp = datetime.now(UTC)"),
    (registry_host, "Makefile", "pip install --index-url https://pypi.o" + "rg/simple"),
    (registry_host, "uv.lock", ""),
    (machine_path, "nats.conf", "store_dir: /ho" + "me/ann/nats"),
    (dangling_link, "README.md", "[the design](docs/nowhere.md)"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD_EXAMPLES)
def test_rule_finds_its_bad_example(rule: Rule, path: str, text: str) -> None:
    """Every rule of this file has something to find."""
    assert list(rule(File(path, text)))


def test_files_are_short() -> None:
    """A file is about one thing and fits in a reader's head."""
    demand_everywhere(long_file, "Split the file by subject, not into parts:")


def test_functions_are_short() -> None:
    """A function can be read at once."""
    demand_everywhere(long_function, "Name a part of it, or make the cases a table:")


def test_tests_state_a_fact() -> None:
    """Every test says in one sentence what is true when it passes."""
    demand_everywhere(silent_test, "State the fact as a docstring of one sentence, with full stop:")


def test_tests_wait_for_signals() -> None:
    """No test waits for time to pass."""
    demand_everywhere(sleeping_test, "Await the event, future or state that the code offers:")


def test_fakes_are_drivers() -> None:
    """No test patches what it tests."""
    demand_everywhere(patched_test, "Pass an implementation of the port (see tests/contracts):")


def test_nothing_is_left_for_later() -> None:
    """What has landed is done."""
    demand_everywhere(leftover, "Do it, or file an issue and describe the limit:")


def test_names_say_something() -> None:
    """A file is named by what it is about."""
    demand_everywhere(empty_name, "Name the file by its subject, in the words of the design:")


def test_the_core_stands_still() -> None:
    """The core neither waits nor looks at the clock, the disk or its own process."""
    demand_everywhere(impure, "Take it as an argument, or return an effect for the shell:")


def test_shell_is_kept_from_the_core() -> None:
    """What may do I/O in the core's folders is exactly what the core may not import."""
    ignored = contract("purity")["ignore_imports"]
    exempt = {line.split(" ")[0].removesuffix(".**") for line in ignored if line.endswith(" -> **")}

    assert exempt == shell()


def test_every_package_has_a_layer() -> None:
    """No folder of the program stands outside the import directions."""
    layers = set(re.findall(r"\w+", " ".join(contract("direction")["layers"])))
    tops = {file.path.split("/")[0] for file in checkout() if file.path.endswith("/__init__.py")}

    assert tops - {"tests", "benchmarks"} == layers


def test_no_registry_is_named() -> None:
    """The repository installs from whatever registry its user has."""
    demand_everywhere(registry_host, "Leave hosts to pip's own configuration; pins carry none:")


def test_no_machine_is_named() -> None:
    """Nothing depends on where a developer keeps it."""
    demand_everywhere(machine_path, "Use a relative path, a temporary folder or a flag:")


def test_links_lead_somewhere() -> None:
    """Every relative link of the documentation has a target."""
    demand_everywhere(dangling_link, "Mend the link:")


def test_no_file_is_dead() -> None:
    """Every module is used by another file, or is an entry point."""
    used: dict[str, set[str]] = {}
    for file in checkout():
        for name in mentions(file):
            used.setdefault(name, set()).add(file.path)
    dead = [
        file.path
        for file in checkout()
        if file.python and not collected(file) and not used.get(file.module, set()) - {file.path}
    ]

    demand(dead, "Use the module or delete it:")


def test_lock_pins_every_dependency() -> None:
    """Every package that pyproject.toml asks for has one exact version."""
    project = pyproject()["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = {
        re.sub(r"[-_.]+", "-", name).lower()
        for name in re.findall(r"^([\w.-]+)==\S+$", lock, re.MULTILINE)
    }

    demand(
        {re.split(r"[<>=\[]", str(name))[0].lower() for name in wanted} - pinned, "Run make lock:"
    )


def test_error_tree_is_drawn_as_it_is() -> None:
    """The drawing in events/errors.py shows every error under its parent."""
    drawn, branch = set(), ["LotaError"]
    for indent, name in re.findall(
        r"^([│ ]*)[├└]── (\w+)", events.errors.__doc__ or "", re.MULTILINE
    ):
        depth = len(indent) // 4 + 1
        branch[depth:] = [name]
        drawn.add((name, branch[depth - 1]))
    declared = {
        (cls.__name__, cls.__base__.__name__)
        for cls in vars(events.errors).values()
        if isinstance(cls, type) and cls.__base__ and cls is not events.errors.LotaError
    }

    assert drawn == declared
