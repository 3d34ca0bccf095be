"""Finds out what came of a deal, and answers "surely nothing" only when that is sure.

It is sure in these cases: the command was never run; it ended with an error of the daemon's own,
and the daemon lists no deal for this content; it was cut off, and the daemon lists none when it
must have noticed long ago; the provider never had the proposal, or turned it down. Whatever else
failed is in doubt: somebody must look, since another try could pay a second time.
"""

import asyncio
import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from events.errors import PublishError
from publishers.lotus_cars import Cars
from publishers.lotus_cli import LotusCli, cut_off
from publishers.lotus_deal import Deal, read_proposal
from publishers.lotus_slot import FOLDER, Record, Slot, acquire, records, slot_name, whole

BUSY_S = 300.0
"""How long a slot is waited for that somebody has in hand, for instance a running command."""
SETTLE_S = 15.0
SETTLE_BYTES_PER_S = 10e6
"""A daemon whose caller is gone may still be at the piece of a CAR: until that must be over, it is
not believed when it lists no deal."""
FIRST_PAUSE_S = 0.02
LAST_PAUSE_S = 1.0


class Ledger:
    """All deals that this node has begun with one provider, below `folder`."""

    def __init__(self, cli: LotusCli, cars: Cars, folder: Path, miner: str) -> None:
        self._cli = cli
        self._cars = cars
        self._slots = folder / FOLDER
        self._miner = miner

    async def acquire(self, key: str, cid: str) -> Slot:
        """Lock a slot; raises `PublishError` when somebody has it in hand for long."""
        folder = self._slots / slot_name(key, cid, self._miner)
        pause_s = FIRST_PAUSE_S
        until_s = time.monotonic() + BUSY_S
        while (slot := await acquire(folder)) is None:
            if time.monotonic() >= until_s:
                raise in_progress(key)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LAST_PAUSE_S)
        return slot

    def begin(self, key: str, cid: str) -> Record:
        """Return the record to start with; its CAR has a name that no other node gives to its."""
        name = slot_name(key, cid, self._miner, str(self._slots))
        car = self._cars.folder / f"{name}.car"
        return Record(key=key, cid=cid, miner=self._miner, car=str(car))

    async def remembered(self, slot: Slot) -> Record | None:
        """Return what a locked slot remembers."""
        try:
            return await whole(slot.record)
        except msgspec.DecodeError as error:
            raise _doubt(f"the record in {slot.folder} is damaged") from error

    async def settle(self, slot: Slot, record: Record) -> bool:
        """Find the proposal that came of a record; False, and it is forgotten, if surely none.

        Raises `PublishError` while nobody can tell.
        """
        if record.step == "begun":
            await self.discard(slot, record)
            return False
        if record.step == "proposing":
            answer, complaint = await whole(slot.printed)
            proposal = read_proposal(answer) or await self._listed_proposal(record)
            if proposal is None:
                _require_settled(record, complaint)
                await self.discard(slot, record)
                return False
            record.step, record.proposal = "proposed", proposal
            await whole(slot.write, record)
        return True

    async def outcome(self, slot: Slot, record: Record) -> Deal | None:
        """Return the deal that came of a record; None, and it is forgotten, if surely nothing.

        Raises `PublishError` while nobody can tell, and for a deal that failed and may be paid.
        """
        if not await self.settle(slot, record):
            return None
        return await self.judge(slot, record, await self._cli.deal(record.proposal))

    async def judge(self, slot: Slot, record: Record, deal: Deal) -> Deal | None:
        """Return a deal that goes well; see `outcome` for one that has failed."""
        if deal.root != record.cid:
            raise wrong_root(deal, record.cid)
        if deal.transferred:
            await self._cars.release(Path(record.car))
        if not deal.failed:
            return deal
        if not deal.unpaid:
            raise deal_failed(deal)
        await self.discard(slot, record)
        return None

    async def listed(self, key: str, cid: str) -> Deal | None:
        """Search the daemon's deals for one with this content and provider.

        Raises `PublishError` when those that there are failed, may be paid, and are no other
        slot's.
        """
        known = {record.proposal: record for _, record in await whole(self._records)}
        failed: Deal | None = None
        for row in await self._cli.deals():
            record = known.get(row.proposal)
            # f01234 on the main network is t01234 elsewhere.
            if row.provider[1:] != self._miner[1:] or (record and record.cid != cid):
                continue
            deal = await self._cli.deal(row.proposal)
            if deal.root != cid:
                continue
            if not deal.failed:
                return deal
            if not deal.unpaid and (record is None or record.key == key):
                failed = deal
        if failed is not None:
            raise deal_failed(failed)
        return None

    async def unremembered(self, key: str, cid: str) -> Deal | None:
        """Answer for a slot of which this node remembers nothing: it never ran the command.

        Raises `PublishError` when it did, but for another provider than the credential names now.
        """
        for _, record in await whole(self._records):
            if (record.key, record.cid) == (key, cid) and record.step != "begun":
                raise _doubt(f"it was begun with {record.miner}, and now it is {self._miner}")
        return await self.listed(key, cid)

    async def discard(self, slot: Slot, record: Record) -> None:
        """Leave nothing of a try that surely came to nothing; the record goes last."""
        if await self._cars.release(Path(record.car)):
            await whole(slot.forget)
        else:
            record.step, record.proposal = "begun", ""  # as good as none, but it knows the CAR
            await whole(slot.write, record)

    async def sweep(self) -> None:
        """Remove what crashed nodes were writing, and CARs that nobody needs any more."""
        with suppress(PublishError):  # a publication will tell
            await self._cars.open()
        for folder, seen in await whole(self._records):
            if not await asyncio.to_thread(os.path.exists, seen.car):
                continue
            slot = await acquire(folder)
            if slot is None:
                continue  # whoever has it in hand comes to its CAR
            try:
                await self._sweep_slot(slot)
            except PublishError:
                continue  # it is another daemon's, or this one is away
            finally:
                await whole(slot.close)

    async def _sweep_slot(self, slot: Slot) -> None:
        record = await self.remembered(slot)
        if record is None or record.step == "proposing":
            return  # a repeat or a lookup comes to it
        if record.step == "begun":
            await self.discard(slot, record)
        elif (await self._cli.deal(record.proposal)).transferred:
            await self._cars.release(Path(record.car))

    async def _listed_proposal(self, record: Record) -> str | None:
        deal = await self.listed(record.key, record.cid)
        return deal.proposal if deal is not None else None

    def _records(self) -> list[tuple[Path, Record]]:
        return list(records(self._slots))


def deal_failed(deal: Deal) -> PublishError:
    """Say that a deal has failed; it is `unpaid` only if that is sure."""
    if deal.unpaid:
        hint = "Nothing was paid: ask the provider what it takes, by `lotus client query-ask`"
        return PublishError("deal-failed", str(deal), permanent=True, unpaid=True, hint=hint)
    hint = "It may have been paid: a person must look, by `lotus client get-deal`"
    return PublishError("deal-failed", str(deal), permanent=True, hint=hint)


def wrong_root(deal: Deal, cid: str) -> PublishError:
    """Say that a deal stores something else."""
    return PublishError(
        "wrong-root",
        f"the deal {deal.proposal} is for {deal.root[:80]!r}, not {cid}",
        permanent=True,
        hint="A person must look, by `lotus client get-deal`",
    )


def in_progress(key: str) -> PublishError:
    """Say that a deal is just being made."""
    return PublishError(
        "in-progress",
        f"a deal for {key} is being made",
        hint="Ask again later: `lotus client deal` is still running",
    )


def _doubt(why: str) -> PublishError:
    return PublishError(
        "in-doubt",
        f"nobody can tell whether a deal was made: {why}",
        hint="Look for it by `lotus client list-deals -v`, on the node that began it",
    )


def _require_settled(record: Record, complaint: str) -> None:
    """Raise unless the daemon is surely no longer at a command that left no proposal."""
    if not cut_off(complaint):
        return
    needed_s = SETTLE_S + record.car_size_bytes / SETTLE_BYTES_PER_S
    if time.time() - record.proposing_s < needed_s:
        raise PublishError(
            "unsettled",
            f"`lotus client deal` for {record.key} was cut off, and its daemon may still be at it",
            hint=f"Ask again when {needed_s:.0f} s have passed",
        )
