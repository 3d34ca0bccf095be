"""What a node remembers of each deal, so that no slot is ever paid twice.

A slot has a folder of its own with a lock, a record of how far it got, and the output of the
`client deal` that was run for it. That command cannot be undone, and it does not die with us: it
inherits the lock and writes its answer into the folder itself. So whoever holds the lock knows
that nothing is being made, and finds the proposal's CID even if nobody was left to read it.
"""

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

import msgspec

from publishers.durable import make_durable_folder

FOLDER = "lotus-deals"
"""Below the driver's folder."""

_RECORD = "deal.json"
_LOCK = "lock"
_ANSWER = "answer"
_COMPLAINT = "complaint"
_SHOWN_BYTES = 4096

P = ParamSpec("P")
T = TypeVar("T")

Step = Literal["begun", "proposing", "proposed"]
"""Begun: nothing was asked of the provider. Proposing: the command may have run. Proposed: it did,
and `proposal` is what came of it."""


class Record(msgspec.Struct, kw_only=True):
    """How far one deal has got; sizes in bytes, times in whole seconds since 1970."""

    key: str
    cid: str
    miner: str
    size_bytes: int = 0
    step: Step = "begun"
    car: str = ""
    car_size_bytes: int = 0
    proposing_s: int = 0
    proposal: str = ""
    v: int = 1


class Slot:
    """The locked folder of one slot; all methods block, and may raise OSError."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self.lock = lock

    @classmethod
    def acquire(cls, folder: Path) -> "Slot | None":
        """Lock a slot's folder, made when needed; None while another holds it, or its command."""
        make_durable_folder(folder.parent)
        while True:
            folder.mkdir(exist_ok=True)
            try:
                lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # who let go of it removed the empty folder just now
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(lock), os.stat(folder / _LOCK)):
                    return cls(folder, lock)
            except BlockingIOError:
                os.close(lock)
                return None
            except FileNotFoundError:
                pass
            os.close(lock)

    def record(self) -> Record | None:
        """Return what is remembered; raises `msgspec.DecodeError` for what is no record."""
        return read_record(self.folder)

    def write(self, record: Record) -> None:
        """Remember; it is on the disk when this returns."""
        draft = self.folder / f"{_RECORD}.new"
        with open(draft, "wb") as file:
            file.write(msgspec.json.encode(record))
            file.flush()
            os.fsync(file.fileno())
        os.rename(draft, self.folder / _RECORD)
        _sync(self.folder)
        _sync(self.folder.parent)

    def forget(self) -> None:
        """Forget a try of which surely nothing came; that too is on the disk."""
        for name in (_RECORD, _ANSWER, _COMPLAINT):
            (self.folder / name).unlink(missing_ok=True)
        _sync(self.folder)

    def outputs(self) -> tuple[int, int]:
        """Open new files for the command to answer and to complain into."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        answer = os.open(self.folder / _ANSWER, flags, 0o600)
        return answer, os.open(self.folder / _COMPLAINT, flags, 0o600)

    def printed(self) -> tuple[str, str]:
        """Return what the command answered and complained of, empty when it said nothing."""
        return _start(self.folder / _ANSWER), _start(self.folder / _COMPLAINT)

    def close(self) -> None:
        """Let go of the lock, and of a folder that remembers nothing; safe to repeat."""
        if self.lock < 0:
            return
        if not (self.folder / _RECORD).exists():
            with suppress(OSError):  # it holds more than a lock: somebody looks into it
                (self.folder / f"{_RECORD}.new").unlink(missing_ok=True)
                (self.folder / _LOCK).unlink()
                self.folder.rmdir()
        os.close(self.lock)
        self.lock = -1


async def acquire(folder: Path) -> Slot | None:
    """Lock a slot from the event loop; whoever is cancelled meanwhile has nothing locked."""
    acquiring = asyncio.ensure_future(asyncio.to_thread(Slot.acquire, folder))
    try:
        return await asyncio.shield(acquiring)
    except asyncio.CancelledError:
        await _settled(acquiring)
        slot = acquiring.result()
        if slot is not None:
            await whole(slot.close)
        raise


async def whole(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks in a thread, to its end: also when the caller is cancelled it is over then.

    So that no thread still writes to a slot that somebody else has locked since.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await _settled(running)
        raise


def slot_name(key: str, *of: str) -> str:
    """Return a file name for a key and what else tells it from others."""
    digest = hashlib.sha256("\0".join(of).encode()).hexdigest()[:16]
    return f"{key.replace('/', '.')}.{digest}"


def read_record(folder: Path) -> Record | None:
    """Return what a slot's folder remembers; raises `msgspec.DecodeError` for what is no record."""
    try:
        data = (folder / _RECORD).read_bytes()
    except FileNotFoundError:
        return None
    return msgspec.json.decode(data, type=Record)


def records(parent: Path) -> Iterator[tuple[Path, Record]]:
    """Yield every slot's folder and what it remembers, as it is just now."""
    with suppress(FileNotFoundError):
        for folder in parent.iterdir():
            with suppress(msgspec.DecodeError, OSError):
                record = read_record(folder)
                if record is not None:
                    yield folder, record


async def _settled(running: "asyncio.Future[T]") -> None:
    """Wait until a thread is through, however often the caller is cancelled."""
    while not running.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running])
    running.exception()  # looked at, so that nobody is told that it was not


def _start(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(_SHOWN_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
