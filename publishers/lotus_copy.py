"""A copy of a result that a Filecoin provider stores, read from a CAR that was retrieved once.

Providers serve whole DAGs and not blocks, so the first read fetches everything. The CAR and an
index of its blocks lie in files of this process until the copy is closed.
"""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from events.cid import cid_bytes, cid_text
from events.errors import ContentError, NotFound, PublishError
from publishers.car import read_car
from publishers.car_blocks import HEADER_BYTES, section_bytes
from publishers.disk import disk_error
from publishers.lotus_cli import LotusCli
from publishers.staging import Staging


class LotusCopy:
    """Reads the DAG `cid` that the provider `miner` stores; `folder` is one the daemon can write.

    The folder needs room for the whole result for as long as the copy is open.
    """

    def __init__(self, cli: LotusCli, folder: Path, miner: str, cid: str) -> None:
        self._cli = cli
        self._folder = folder
        self._miner = miner
        self._cid = cid
        self._retrieving = asyncio.Lock()
        self._staging: Staging | None = None
        self._blocks: _Blocks | None = None

    async def node(self, cid: bytes) -> bytes:
        return await self._block(cid)

    async def leaf(self, cid: bytes, path: str, offset: int, size_bytes: int) -> bytes:
        return await self._block(cid)

    async def close(self) -> None:
        async with self._retrieving:
            blocks, self._blocks = self._blocks, None
            staging, self._staging = self._staging, None
            if blocks is not None:
                await asyncio.to_thread(blocks.close)
            if staging is not None:
                await asyncio.to_thread(staging.close)

    async def _block(self, cid: bytes) -> bytes:
        async with self._retrieving:
            if self._blocks is None:
                self._blocks = await self._retrieve()
            found = await asyncio.to_thread(self._blocks.get, cid)
        if found is None:
            raise NotFound(f"what {self._miner} gave of {self._cid} is without {cid_text(cid)}")
        return found

    async def _retrieve(self) -> "_Blocks":
        try:
            if self._staging is None:
                self._staging = await asyncio.to_thread(Staging, self._folder)
            car = self._staging.new()
            await self._cli.retrieve(self._miner, self._cid, car)
            return await asyncio.to_thread(_Blocks, car, self._staging.new(), cid_bytes(self._cid))
        except OSError as error:
            raise disk_error(error, f"the folder {self._folder}") from error
        except ContentError as error:
            raise PublishError(
                "tampered",
                f"the CAR that {self._miner} gave of {self._cid} is damaged: {error.what}",
                hint="Read from another copy",
            ) from error


class _Blocks:
    """The blocks of a CAR by their CID, in memory that does not grow with them; blocks."""

    def __init__(self, car: Path, index: Path, root: bytes) -> None:
        self._car = os.open(car, os.O_RDONLY)
        # Any thread may come, one at a time. A crash leaves nothing that is of use to anybody.
        self._index = sqlite3.connect(index, isolation_level=None, check_same_thread=False)
        try:
            self._fill(root)
        except BaseException:
            self.close()
            raise

    def get(self, cid: bytes) -> bytes | None:
        row = self._index.execute("SELECT at, size FROM blocks WHERE cid = ?", (cid,)).fetchone()
        return os.pread(self._car, row[1], row[0]) if row is not None else None

    def close(self) -> None:
        self._index.close()
        os.close(self._car)

    def _fill(self, root: bytes) -> None:
        for pragma in ("journal_mode=OFF", "synchronous=OFF"):
            self._index.execute(f"PRAGMA {pragma}").close()
        self._index.execute(
            "CREATE TABLE blocks (cid BLOB PRIMARY KEY, at INTEGER, size INTEGER) WITHOUT ROWID"
        )
        with closing(os.fdopen(os.dup(self._car), "rb")) as file:
            blocks = read_car(file)
            if blocks.root != root:
                raise ContentError(f"its root is {cid_text(blocks.root)}")
            self._index.execute("BEGIN")
            end = HEADER_BYTES
            for cid, block in blocks:
                end += section_bytes(len(block))
                row = (cid, end - len(block), len(block))
                self._index.execute("INSERT OR IGNORE INTO blocks VALUES (?, ?, ?)", row)
            self._index.execute("COMMIT")
