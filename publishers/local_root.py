"""The disk work of the driver `local`; all of it blocks, and runs in threads.

A result is written into a staging folder on the same file system, hashed as it is written, synced,
and renamed into place. The rename is the whole publication: before it there is nothing at the key,
after it everything. So a crash at any point leaves either nothing or the whole result, and beside
them at most a staging folder, which the next process to open the root removes. Two nodes may race,
since a rename onto a folder with something in it fails; the loser then hashes what it finds there,
and both are right if it is the same CID.
"""

import errno
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from events.errors import ContentError, NotFound, PublishError
from publishers import result_blocks
from publishers.disk import disk_error
from publishers.durable import make_durable, tree_paths
from publishers.kept_skeletons import KeptSkeletons, discard
from publishers.port import Location, Result, SmallResult, require_key
from publishers.skeleton import BuiltSkeleton, Skeleton
from publishers.staging import Staging
from publishers.tree_copy import copy_tree
from publishers.tree_walk import Tree
from publishers.unixfs import tree_cid

_OCCUPIED = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Request(NamedTuple):
    """One result to publish, the CID that it must have, and whether another one gives way.

    `given_up` is set when nobody waits any more, which ends the copying of a folder.
    """

    result: Result
    key: str
    cid: str
    replace: bool
    given_up: threading.Event


Answer = Location | PublishError


class _Staged(NamedTuple):
    place: int
    request: Request
    folder: Path
    tree: Tree
    skeleton: Path | None


class LocalRoot:
    """The folder `<root>/<job>/<shard>` and the one way into it; safe to use from threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._prefix = root.as_uri() + "/"
        self._staging: Staging | None = None
        self._opening = threading.Lock()
        self._kept = KeptSkeletons(root)

    def check(self) -> None:
        """Raise `PublishError` unless this process can make a folder below the root."""
        try:
            probe = self._open_staging().new()
            probe.mkdir()
            probe.rmdir()
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Remove the staging folder; safe to repeat."""
        with self._opening:
            if self._staging is not None:
                self._staging.close()
                self._staging = None

    def folder_of(self, location: Location) -> Path:
        """Return the folder that a URI names; it came from the log, so it may say anything."""
        key = location.uri.removeprefix(self._prefix)
        if key == location.uri:
            raise PublishError(
                "bad-location",
                f"{location.uri!r} is not below {self._prefix}",
                permanent=True,
                hint="Ask a node whose local publisher has that root",
            )
        require_key(key)
        return self._root / key

    def verify(self, location: Location) -> None:
        """Hash what is at the location; raise `PublishError` when it is missing or not its CID."""
        folder = self.folder_of(location)
        if not folder.is_dir():
            raise _missing(folder)
        try:
            cid = _tree(folder).cid
        except OSError as error:
            raise self._failure(error) from error
        except ContentError as error:
            raise PublishError("tampered", error.what, permanent=True, hint=error.hint) from error
        if cid != location.cid:
            raise PublishError(
                "tampered",
                f"{folder} has the CID {cid}, not {location.cid}",
                permanent=True,
                hint="Remove it and publish the shard again",
            )

    def skeleton(self, location: Location, anew: bool) -> Skeleton:  # noqa: FBT001 - as it is called
        """Return the skeleton of what is at the location: the kept one, or `anew`.

        Raises `PublishError` when there is no result.
        """
        folder = self.folder_of(location)
        key = folder.relative_to(self._root).as_posix()
        if not anew and (kept := self._kept.find(key, location.cid)) is not None:
            return kept
        built = Skeleton.build(folder)
        with suppress(OSError):  # without it the next reader hashes again, and no more
            self._kept.keep(self._kept.write(built, self._open_staging().new()), key)
        return built

    def publish(self, requests: list[Request]) -> list[Answer]:
        """Answer each request of a group, once all are durable; one that fails takes no other."""
        answers: dict[int, Answer] = {}
        staged: list[_Staged] = []
        renamed = 0
        try:
            # Also when nothing needs staging: opening it sweeps what crashed processes left.
            staging = self._open_staging()
            for index, request in enumerate(requests):
                try:
                    if request.replace:
                        self._give_way(request, staging)
                    location = self._existing(request)
                    if location is None:
                        ready = self._stage(index, request, staging)
                        location = self._location(request, ready.tree)
                        staged.append(ready)
                    answers[index] = location
                except PublishError as error:
                    answers[index] = error
                except OSError as error:
                    answers[index] = self._failure(error)
            trees = chain.from_iterable(tree_paths(str(ready.folder)) for ready in staged)
            make_durable(trees, str(self._root))
            for ready in staged:
                answers[ready.place] = self._rename(ready)
                renamed += 1
            # Also for what was there already: its writer may have died between rename and sync.
            make_durable(self._folders_of_names(requests), str(self._root))
        except OSError as error:
            return [self._failure(error)] * len(requests)
        finally:
            for ready in staged[renamed:]:
                self._discard(ready)
        return [answers[index] for index in range(len(requests))]

    def _existing(self, request: Request) -> Location | None:
        """Return what is at the key if it is this result, None if nothing is; else raise."""
        target = self._root / request.key
        try:
            mode = os.lstat(target).st_mode
        except (FileNotFoundError, NotADirectoryError):
            return None
        tree = None
        if stat.S_ISDIR(mode):
            with suppress(ContentError):
                tree = _tree(target)
        if tree is None or tree.cid != request.cid:
            found = f"the CID {tree.cid}" if tree else "something that is no result"
            raise PublishError(
                "conflict",
                f"{target} already holds {found}, not {request.cid}",
                permanent=True,
                hint="Move it away, or publish below another target",
            )
        return self._location(request, tree)

    def _give_way(self, request: Request, staging: Staging) -> None:
        """Move another result away from the key; a crash leaves it in staging, to be swept."""
        target = self._root / request.key
        try:
            self._existing(request)
        except PublishError:
            aside = staging.new()
            os.rename(target, aside)
            self._kept.forget(request.key)
            shutil.rmtree(aside, ignore_errors=True)

    def _stage(self, index: int, request: Request, staging: Staging) -> _Staged:
        """Write the result where nobody looks, and hash what is written."""
        folder = staging.new()
        skeleton = None
        try:
            if isinstance(request.result, SmallResult):
                request.result.write_to(folder)
                tree = _tree(folder)
            else:
                tree, skeleton = self._copy(request.result, folder, staging, request.given_up)
            if tree.cid != request.cid:
                raise PublishError(
                    "wrong-cid",
                    f"the result for {request.key} has the CID {tree.cid}, not {request.cid}",
                    permanent=True,
                    hint="It changed after it was hashed: let another execution publish",
                )
        except BaseException as error:
            self._discard(_Staged(index, request, folder, Tree("", 0, 0), skeleton))
            if isinstance(error, ContentError):
                raise PublishError(
                    "bad-result", error.what, permanent=True, hint=error.hint
                ) from error
            raise
        return _Staged(index, request, folder, tree, skeleton)

    def _copy(
        self, result: Path, folder: Path, staging: Staging, given_up: threading.Event
    ) -> tuple[Tree, Path | None]:
        """Copy and hash a folder, and write the skeleton of a large one to staging."""
        if not result.is_dir():
            raise PublishError(
                "no-result",
                f"the result {result} is gone",
                permanent=True,
                hint="Let another execution publish",
            )
        copying = partial(copy_tree, os.fsencode(result), os.fsencode(folder), given_up)
        with closing(BuiltSkeleton(copying)) as built:
            written = self._kept.write(built, staging.new())
            return Tree(built.cid, built.dag_size_bytes, built.files), written

    def _discard(self, ready: _Staged) -> None:
        shutil.rmtree(ready.folder, ignore_errors=True)
        discard(ready.skeleton)

    def _rename(self, ready: _Staged) -> Answer:
        target = self._root / ready.request.key
        try:
            os.makedirs(target.parent, exist_ok=True)
            os.rename(ready.folder, target)
            self._kept.keep(ready.skeleton, ready.request.key)
            return self._location(ready.request, ready.tree)
        except OSError as error:
            self._discard(ready)
            if error.errno not in _OCCUPIED:
                return self._failure(error)
        try:
            return self._existing(ready.request) or PublishError(
                "blocked", f"{target} cannot be made", hint="Remove what is in its way"
            )
        except PublishError as error:
            return error

    def _folders_of_names(self, requests: list[Request]) -> Iterator[str]:
        for job in {request.key.partition("/")[0] for request in requests}:
            folder = f"{self._root}/{job}"
            if os.path.isdir(folder):
                yield folder
        yield str(self._root)

    def _location(self, request: Request, tree: Tree) -> Location:
        return Location(self._prefix + request.key, tree.cid, tree.dag_size_bytes)

    def _open_staging(self) -> Staging:
        with self._opening:
            if self._staging is not None and not self._staging.exists():
                self._staging.close()
                self._staging = None
            if self._staging is None:
                self._staging = Staging(self._root)
            return self._staging

    def _failure(self, error: OSError) -> PublishError:
        return disk_error(error, f"the folder {self._root}")


def open_below(folder: Path, path: str) -> int:
    """Open one file of a published result for reading, without leaving the result by any link.

    Raises `NotFound` for what is not a file in it, `PublishError` when the result is gone or the
    disk fails.
    """
    if not folder.is_dir():
        raise _missing(folder)
    try:
        return result_blocks.open_below(folder, os.fsencode(path))
    except NotFound as error:
        what = f"there is no file {path!r} in {folder}"
        raise NotFound(what, hint="Name a file of the result") from error
    except OSError as error:
        raise disk_error(error, f"the folder {folder}") from error


def _missing(folder: Path) -> PublishError:
    return PublishError("missing", f"there is no result at {folder}", hint="Publish it again")


def _tree(folder: Path) -> Tree:
    """Hash a folder; a disk that fails raises OSError, since that says nothing of the content."""
    try:
        return tree_cid(folder)
    except ContentError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise
