"""Listing and staging local files."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from events.errors import ExecutorError, InvalidInput
from events.inputs import reading
from events.inputs.file_uri import to_uri
from events.inputs.local import BATCH_FILES
from events.items import ListedFile
from events.sharding import pattern
from events.unixfs import MAX_DEPTH
from node.executors.removal import remove_tree
from node.inputs.file import FileSource
from tests.node.executors.deep import nest

SOURCE = FileSource()


def fill(folder: Path, files: dict[str, bytes]) -> str:
    """Write files below a folder and return its source."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return to_uri(str(folder))


def listed(path: str, data: bytes) -> ListedFile:
    return ListedFile(path, len(data), hashlib.sha256(data).hexdigest())


async def refusal(source: str, glob: str = "") -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        await SOURCE.list(source, pattern(glob))
    assert caught.value.hint
    return caught.value


FILES = {"b": b"2", "a/z": b"", "a.c": b"dot", "a/.h": b"hidden", ".x/é": b"e", "Z": b"big"}


async def test_list(tmp_path: Path) -> None:
    """Every file is listed with size and sha256, hidden ones too, in the order of their bytes."""
    found = await SOURCE.list(fill(tmp_path, FILES), pattern(""))

    assert found.files == tuple(
        listed(path, FILES[path]) for path in sorted(FILES, key=lambda path: path.encode())
    )
    assert found.seen == len(FILES)
    assert [file.path for file in found.files][:3] == [".x/é", "Z", "a.c"]


async def test_list_by_glob(tmp_path: Path) -> None:
    """A glob chooses among the paths below the source, and all files are counted."""
    found = await SOURCE.list(fill(tmp_path, FILES), pattern("a/*"))

    assert [file.path for file in found.files] == ["a/.h", "a/z"]
    assert found.seen == len(FILES)


async def test_list_one_file(tmp_path: Path) -> None:
    """A source that is a file is listed as the path "", and matched by its base name."""
    fill(tmp_path, {"data.csv": b"1,2"})
    source = to_uri(str(tmp_path / "data.csv"))

    found = await SOURCE.list(source, pattern("*.csv"))
    other = await SOURCE.list(source, pattern("*.py"))

    assert found.files == (listed("", b"1,2"),)
    assert (other.files, other.seen) == ((), 1)


async def test_list_many(tmp_path: Path) -> None:
    """Progress grows to all files and bytes, also over several batches read at one time."""
    names = {f"{index:03}": b"x" * index for index in range(3 * BATCH_FILES + 1)}
    calls: list[tuple[int, int]] = []

    found = await SOURCE.list(
        fill(tmp_path, names), pattern(""), progress=lambda *done: calls.append(done)
    )

    assert [file.path for file in found.files] == sorted(names)
    assert calls == sorted(calls)
    assert calls[-1] == (len(names), sum(map(len, names.values())))


async def test_list_large_file(tmp_path: Path) -> None:
    """A file of more than one chunk has the digest of all of it."""
    data = os.urandom(reading.CHUNK_BYTES * 2 + 7)

    found = await SOURCE.list(fill(tmp_path, {"a": data}), pattern(""))

    assert found.files == (listed("a", data),)


async def test_list_empty_folder(tmp_path: Path) -> None:
    """A folder without files has an empty listing; whoever asked decides what that means."""
    (tmp_path / "empty").mkdir()

    found = await SOURCE.list(to_uri(str(tmp_path)), pattern(""))

    assert (found.files, found.seen) == ((), 0)


async def test_list_missing(tmp_path: Path) -> None:
    """A source that is not there is refused by its path."""
    error = await refusal(to_uri(str(tmp_path / "absent")))

    assert f"{tmp_path}/absent does not exist" in str(error)


async def test_list_through_a_link(tmp_path: Path) -> None:
    """The source itself may be a link to a folder or a file."""
    fill(tmp_path / "real", {"a": b"1"})
    (tmp_path / "link").symlink_to("real")

    found = await SOURCE.list(to_uri(str(tmp_path / "link")), pattern(""))

    assert found.files == (listed("a", b"1"),)


async def test_list_with_links(tmp_path: Path) -> None:
    """A link that the glob selects is refused by its path; one that it does not is passed by."""
    source = fill(tmp_path, {"a.py": b"1"})
    (tmp_path / "b.py").symlink_to("a.py")

    error = await refusal(source, "*.py")
    found = await SOURCE.list(source, pattern("a*"))

    assert f"{tmp_path}/b.py is a symbolic link" in str(error)
    assert (found.files, found.seen) == ((listed("a.py", b"1"),), 2)


async def test_list_with_links_to_folders(tmp_path: Path) -> None:
    """A link to a folder is always refused: files that the glob wants may lie behind it."""
    source = fill(tmp_path / "a", {"a.py": b"1"})
    (tmp_path / "a" / "link").symlink_to(tmp_path)

    error = await refusal(source, "*.py")

    assert f"{tmp_path}/a/link is a symbolic link" in str(error)


async def test_list_with_broken_links(tmp_path: Path) -> None:
    """A link that leads nowhere is refused as a link."""
    (tmp_path / "link").symlink_to("absent")

    assert "is a symbolic link" in str(await refusal(to_uri(str(tmp_path))))


async def test_list_with_pipes(tmp_path: Path) -> None:
    """A pipe is refused and never opened, which would wait for a writer."""
    os.mkfifo(tmp_path / "pipe")

    assert "is no regular file" in str(await refusal(to_uri(str(tmp_path))))
    assert "neither a file nor a folder" in str(await refusal(to_uri(str(tmp_path / "pipe"))))


async def test_list_with_other_names(tmp_path: Path) -> None:
    """A file whose name is not UTF-8 is refused by a name that can be printed."""
    with open(os.fsencode(tmp_path) + b"/a\xff", "wb"):
        pass

    error = await refusal(to_uri(str(tmp_path)))

    assert f"{tmp_path}/a\\xff is not UTF-8" in str(error)


async def test_list_with_deep_folders(tmp_path: Path) -> None:
    """A file deeper than a result may be is refused, where it is chosen."""
    nest(tmp_path / "source", MAX_DEPTH + 1)
    source = to_uri(str(tmp_path / "source"))

    assert f"more than {MAX_DEPTH} folders deep" in str(await refusal(source))
    assert (await SOURCE.list(source, pattern("*"))).files == ()
    remove_tree(tmp_path / "source")


async def test_stage(tmp_path: Path) -> None:
    """Listed files are copied to their paths, read-only, and no others."""
    source = fill(tmp_path / "source", FILES)
    found = await SOURCE.list(source, pattern("**/*[!Z]"))
    dest = tmp_path / "inputs" / "deep" / "dest"

    await SOURCE.stage(source, found.files, dest)

    copies = {str(p.relative_to(dest)): p for p in dest.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in copies.items()} == {
        name: data for name, data in FILES.items() if name != "Z"
    }
    assert {stat.S_IMODE(path.stat().st_mode) & 0o333 for path in copies.values()} == {0}


async def test_stage_one_file(tmp_path: Path) -> None:
    """A source that is a file is copied to the destination itself."""
    fill(tmp_path, {"data.csv": b"1,2"})

    await SOURCE.stage(
        to_uri(f"{tmp_path}/data.csv"), [listed("", b"1,2")], tmp_path / "inputs" / "d.csv"
    )

    assert (tmp_path / "inputs" / "d.csv").read_bytes() == b"1,2"


async def test_stage_again(tmp_path: Path) -> None:
    """A repeat replaces what an attempt that was broken off has left."""
    source = fill(tmp_path / "source", {"a": b"1"})
    fill(tmp_path / "dest", {"a": b"half"})
    (tmp_path / "dest" / "a").chmod(0o444)

    for _ in range(2):
        await SOURCE.stage(source, [listed("a", b"1")], tmp_path / "dest")

    assert (tmp_path / "dest" / "a").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("path", "data"),
    [("a", b"2"), ("a", b"12"), ("a", b""), ("absent", b"1"), ("a/b", b"1"), ("folder", b"")],
)
async def test_stage_changed(tmp_path: Path, path: str, data: bytes) -> None:
    """A file that is gone or not what was listed fails the execution by name."""
    source = fill(tmp_path / "source", {"a": b"1", "folder/b": b"1"})

    with pytest.raises(ExecutorError, match=f"source/{path}") as caught:
        await SOURCE.stage(source, [listed(path, data)], tmp_path / "dest")

    assert caught.value.code == "input_changed"
    assert caught.value.hint


@pytest.mark.parametrize("path", ["link", "folder/secret", "../secret", "/etc/hostname", "a/../a"])
async def test_stage_does_not_leave_the_source(tmp_path: Path, path: str) -> None:
    """Neither links made since the listing nor a forged listing lead out of the source."""
    source = fill(tmp_path / "source", {"a": b"1"})
    fill(tmp_path, {"secret": b"1"})
    (tmp_path / "source" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "source" / "folder").symlink_to(tmp_path)

    with pytest.raises(ExecutorError) as caught:
        await SOURCE.stage(source, [listed(path, b"1")], tmp_path / "dest" / "x")

    assert caught.value.code in {"input_changed", "stage"}


async def test_stage_where_it_is_allowed(tmp_path: Path) -> None:
    """A node stages from the folders that its operator allows, and from no others."""
    source = fill(tmp_path / "source", {"a": b"1"})
    node = FileSource(allow=[str(tmp_path / "source")])

    await node.stage(source, [listed("a", b"1")], tmp_path / "dest")
    with pytest.raises(ExecutorError, match="--allow-path") as caught:
        await node.stage(to_uri(str(tmp_path)), [listed("source/a", b"1")], tmp_path / "dest")

    assert caught.value.code == "input_denied"


async def test_stage_where_it_cannot_write(tmp_path: Path) -> None:
    """A destination that cannot be written is the node's own failure."""
    source = fill(tmp_path / "source", {"a": b"1"})
    fill(tmp_path, {"dest": b"a file in the way"})

    with pytest.raises(ExecutorError) as caught:
        await SOURCE.stage(source, [listed("a", b"1")], tmp_path / "dest")

    assert caught.value.code == "stage"
