"""`lota car`: the files that results travel in, packed and checked without any service."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from publishers.car_check import CarCheck

Output = Annotated[Literal["text", "json"], Parameter(name=["--output", "-o"])]

SHOWN_MISSING = 10


def pack(
    path: Path, out: Path, /, *, piece_size: str | None = None, output: Output = "text"
) -> None:
    """Pack a folder into a CAR file, or into pieces of one, as it would be sent.

    The root of the CAR is the CID that `lota cid` prints. What is packed stands on stdout: the
    root, the size and the name of each file. After a failure there is no file at all.

    Example: lota car pack ./results results.car

    Parameters
    ----------
    path
        The folder, or the one file, to pack.
    out
        The file to write, once it is whole. With --piece-size, `results.car` makes `results.0.car`,
        `results.1.car` and so on.
    piece_size
        Cut into CARs whose blocks are less than this, each with the root and the way to its blocks,
        as web3.storage takes them: for example 50MiB. A piece is a little larger than its blocks.
    output
        `text` prints one line a file, `json` one array.
    """
    from events.errors import ContentError, NotFound, PublishError
    from node.cli.pack_progress import PackProgress
    from publishers.car_pack import pack_file, pack_pieces

    if not path.exists():
        raise NotFound(f"there is no {path}", hint="Name a folder or a file")
    piece_bytes = 0 if piece_size is None else _bytes(piece_size)
    try:
        with PackProgress() as progress:
            if piece_bytes:
                packed = pack_pieces(path, out, piece_bytes, progress.show)
            else:
                packed = pack_file(path, out, progress.show)
    except PublishError as error:
        if error.code in {"wrong-cid", "no-result"}:
            raise ContentError(error.what, hint="Pack it when nothing changes it") from error
        raise
    rows = [
        {"file": str(file.path), "cid": packed.root.cid, "size_bytes": file.size_bytes}
        for file in packed.files
    ]
    if output == "json":
        print(json.dumps(rows))
    else:
        for row in rows:
            print(f"{row['cid']}  {row['size_bytes']:>12}  {row['file']}")


def verify(*files: Annotated[Path, Parameter(required=True)], output: Output = "text") -> None:
    """Check that CAR files hold a whole tree, and that each block is what its CID names.

    Every file must have the same one root, and together they must hold all blocks below it. What is
    missing is named, and the exit code is 1.

    Example: lota car verify results.car

    Parameters
    ----------
    files
        The CAR files of one tree, in any order.
    output
        `text` prints the root, the number of blocks and their bytes; `json` an object.
    """
    from events.cid import cid_text
    from events.errors import ContentError
    from publishers.car_check import CarCheck

    check = CarCheck()
    _read_all(check, files)
    missing = check.missing()
    if missing:
        shown = "\n".join(f"      {cid_text(cid)}" for cid in missing[:SHOWN_MISSING])
        more = len(missing) - SHOWN_MISSING
        raise ContentError(
            f"{len(missing)} of the blocks below {cid_text(check.root)} are in no file:\n{shown}"
            + (f"\n      and {more} more" if more > 0 else ""),
            hint="Name all pieces of the tree, or pack it again",
        )
    root = cid_text(check.root)
    if output == "json":
        print(json.dumps({"cid": root, "blocks": check.blocks, "size_bytes": check.bytes}))
    else:
        print(f"{root}  whole: {check.blocks} blocks, {check.bytes} bytes")


def _read_all(check: "CarCheck", files: tuple[Path, ...]) -> None:
    from events.errors import ContentError, InvalidInput
    from node.cli.pack_progress import PackProgress

    done = 0
    with PackProgress() as progress:
        for path in files:
            try:
                total = sum(file.stat().st_size for file in files)
                with path.open("rb", buffering=1 << 20) as file:
                    for size_bytes in check.add(file):
                        done += size_bytes
                        progress.show(done, total)
            except ContentError as error:
                raise ContentError(f"{path}: {error.what}", hint=error.hint) from error
            except OSError as error:
                raise InvalidInput(
                    f"{path} cannot be read: {error.strerror}", hint="Name CAR files"
                ) from error


def _bytes(text: str) -> int:
    from events.errors import WrongUsage
    from events.units import size_bytes

    try:
        size = size_bytes(text)
    except ValueError as error:
        raise WrongUsage(f"--piece-size: {error}", hint="For example 50MiB") from error
    if not size:
        raise WrongUsage("--piece-size must be more than nothing", hint="For example 50MiB")
    return size
