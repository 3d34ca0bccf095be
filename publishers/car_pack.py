"""Packing a folder into CAR files beside which nothing is ever half done.

Files are written beside the place where they will be, and renamed when all are whole and durable.
All of this blocks.
"""

import io
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from events.errors import WrongUsage
from events.unixfs import Root
from publishers.car import CarPlan, write_car
from publishers.disk import disk_error
from publishers.durable import make_durable

Progress = Callable[[int, int | None], None]
"""Told the bytes written so far, and how many there will be, None while that is not known."""


class PackedFile(NamedTuple):
    """One CAR file that was written."""

    path: Path
    size_bytes: int


class Packed(NamedTuple):
    """What was packed, and the files that it came to."""

    root: Root
    files: list[PackedFile]


def pack_file(source: Path, out: Path, progress: Progress) -> Packed:
    """Write one CAR of a folder or file, in one pass; another file at `out` gives way.

    Raises `PublishError` for a source that cannot be packed and a disk that fails, `WrongUsage`
    when `out` lies within the source.
    """
    _refuse_within(source, out)
    with _staging(out) as folder:
        written = folder / "0"
        with _Counted(written, progress) as file:
            root = write_car(source, file)
        size_bytes = written.stat().st_size
        make_durable([str(written)], str(folder))
        written.replace(out)
    return Packed(root, [PackedFile(out, size_bytes)])


def pack_pieces(source: Path, out: Path, piece_bytes: int, progress: Progress) -> Packed:
    """Write OUT.0.car, OUT.1.car and so on, as they would be sent to a service.

    An ending `.car` of `out` is not repeated. Raises as `pack_file` does, and `WrongUsage` when
    there are such files: those of two trees would be taken for one.
    """
    _refuse_within(source, out)
    stem = out.with_suffix("") if out.suffix == ".car" else out
    _refuse_pieces(stem)
    with _staging(out) as folder:
        progress(0, None)
        plan = CarPlan(source, None)
        try:
            sizes = list(_write_pieces(plan, folder, piece_bytes, progress))
        finally:
            plan.close()
        staged = [folder / str(index) for index in range(len(sizes))]
        make_durable(map(str, staged), str(folder))
        places = [stem.with_name(f"{stem.name}.{index}.car") for index in range(len(sizes))]
        for written, place in zip(staged, places, strict=True):
            written.replace(place)
    return Packed(plan.root, [PackedFile(*file) for file in zip(places, sizes, strict=True)])


def _write_pieces(
    plan: CarPlan, folder: Path, piece_bytes: int, progress: Progress
) -> Iterator[int]:
    done = 0
    for index, piece in enumerate(plan.pieces(piece_bytes)):
        with open(folder / str(index), "xb", buffering=0) as file:
            for chunk in piece.chunks():
                _write_all(file, chunk)
                done += len(chunk)
                progress(done, max(plan.size_bytes, done))
        yield piece.size_bytes


def _write_all(file: io.FileIO, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


class _Counted(io.BufferedWriter):
    """A new file that tells how far it is."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(io.FileIO(path, "xb"), 1 << 18)
        self._progress = progress
        self._done = 0

    def write(self, data: "bytes | memoryview") -> int:  # type: ignore[override]
        count = super().write(data)
        self._done += count
        self._progress(self._done, None)
        return count


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """Make a folder beside `out` and take it away again; then make the names durable."""
    folder = out.parent / f".{out.name}.{secrets.token_hex(4)}.partial"
    try:
        folder.mkdir()
        yield folder
        make_durable([str(out.parent)], str(out.parent))
    except OSError as error:
        raise disk_error(error, f"the folder {out.parent}") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(folder)


def _refuse_within(source: Path, out: Path) -> None:
    inner, outer = os.path.realpath(out), os.path.realpath(source)
    if inner == outer or inner.startswith(outer.rstrip("/") + "/"):
        raise WrongUsage(
            f"{out} lies within {source}, and would be packed itself", hint="Write it elsewhere"
        )


def _refuse_pieces(stem: Path) -> None:
    piece = re.compile(re.escape(stem.name) + r"\.\d+\.car")
    try:
        names = os.listdir(stem.parent)
    except OSError as error:
        raise disk_error(error, f"the folder {stem.parent}") from error
    found = sorted(name for name in names if piece.fullmatch(name))
    if found:
        raise WrongUsage(
            f"{stem.with_name(found[0])} is there already",
            hint="Remove what was packed before, or choose another OUT",
        )
