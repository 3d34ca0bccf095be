"""The inputs of one shard."""

import hashlib
from pathlib import Path

import pytest

from events.errors import ExecutorError
from events.inputs.file_uri import to_uri
from events.items import ListedFile
from events.sharding import pattern
from events.spec import Input, JobSpec, Sharding
from node.inputs.file import FileSource
from node.inputs.port import Source
from node.inputs.staging import stage_shard

SOURCES: dict[str, Source] = {"file": FileSource()}


def write(folder: Path, *names: str) -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return to_uri(str(folder))


async def job(tmp_path: Path) -> tuple[JobSpec, list[tuple[ListedFile, ...]]]:
    """Return a job over two sharded folders and a context file, and its listings."""
    inputs = (
        Input(source=write(tmp_path / "one", "a", "b/c", "d"), dest="one"),
        Input(
            source=write(tmp_path / "ctx", "code.py") + "/code.py", dest="x/main.py", context=True
        ),
        Input(source=write(tmp_path / "two", "e"), dest="two"),
    )
    listings = [(await SOURCES["file"].list(i.source, pattern(""))).files for i in inputs]
    return JobSpec(engine="noop", inputs=inputs, sharding=Sharding(size=2)), listings


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_slices(tmp_path: Path) -> None:
    """A shard gets its slice of the sharded inputs and the whole context, each at its place."""
    spec, listings = await job(tmp_path)

    first = await stage_shard(spec, listings, 0, tmp_path / "0", SOURCES)
    second = await stage_shard(spec, listings, 1, tmp_path / "1", SOURCES)

    assert first == tmp_path / "0" / "inputs"
    assert tree(first) == {"one/a", "one/b/c", "x/main.py"}
    assert tree(second) == {"one/d", "two/e", "x/main.py"}
    assert (second / "x" / "main.py").read_text() == "code.py"


async def test_again(tmp_path: Path) -> None:
    """A repeat starts from nothing, whatever was left or changed in the folder."""
    spec, listings = await job(tmp_path)
    write(tmp_path / "0" / "inputs", "one/left", "one/a")

    for _ in range(2):
        folder = await stage_shard(spec, listings, 0, tmp_path / "0", SOURCES)

        assert tree(folder) == {"one/a", "one/b/c", "x/main.py"}
        assert (folder / "one" / "a").read_text() == "a"


async def test_no_inputs(tmp_path: Path) -> None:
    """A job without inputs has an empty folder."""
    folder = await stage_shard(JobSpec(engine="noop"), [], 0, tmp_path, SOURCES)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "dest", "path"),
    [
        ("", "..", "a"),
        ("", "/tmp", "a"),
        ("", "a//b", "a"),
        ("", "", "a"),
        ("", "in", "../a"),
        ("", "in", "/a"),
        ("", "in", "./a"),
        ("", "in", "d/" * 1_000 + "a"),
        ("s3://bucket", "in", "a"),
    ],
)
async def test_forged_jobs(tmp_path: Path, source: str, dest: str, path: str) -> None:
    """Nothing on the log makes a node write outside of the folder or use a driver it lacks."""
    source = source or write(tmp_path / "source", "a")
    spec = JobSpec(engine="noop", inputs=(Input(source=source, dest=dest),))
    file = ListedFile(path, 1, hashlib.sha256(b"a").hexdigest())

    with pytest.raises(ExecutorError) as caught:
        await stage_shard(spec, [(file,)], 0, tmp_path / "0", SOURCES)

    assert caught.value.code == "input_denied"
    assert tree(tmp_path / "0") == set()
