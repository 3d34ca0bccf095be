"""The driver `lotus`: a storage deal with one Filecoin provider, made by the `lotus` command line.

Each run of `client deal` is a deal of its own and costs money. So before it the intent is on the
disk, after it the proposal's CID, and whoever finds an intent asks what came of it before anything
else: this driver on a repeat, and the core through `lookup` after a crash or a takeover.
`publishers.lotus_slot` says how a `client deal` that outlives its node is waited for, and
`publishers.lotus_ledger` when it is sure that nothing was made.

The contract is that of lotus v1.17 to v1.27.0; later ones have no `client`.
"""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from events.errors import PublishError
from publishers.disk import disk_error
from publishers.lotus_cars import Cars, plan_car
from publishers.lotus_cli import LotusCli
from publishers.lotus_copy import LotusCopy
from publishers.lotus_deal import ACCEPTED_STATES, ACTIVE, Deal
from publishers.lotus_ledger import Ledger, deal_failed, in_progress, wrong_root
from publishers.lotus_slot import Record, Slot, whole
from publishers.lotus_terms import read_terms
from publishers.port import Copy, Location, Result, Workplace, require_key

MAKING_S = 3600.0
"""How long `client deal` is waited for: the daemon reads the whole CAR to compute its piece."""
WAIT_S = {"accepted": 3600.0, "active": 48 * 3600.0}
"""How long a deal is asked after until its provider is as far as `wait_for` says."""
ON_ITS_WAY_S = 200.0
"""How long a deal that an earlier try has made is asked after so. One that is on its way even then
counts as published: it is paid for, and a transfer may take hours."""
FIRST_PAUSE_S = 0.05
LAST_PAUSE_S = 30.0
SWEEP_S = 600.0

_ENOUGH = {"accepted": ACCEPTED_STATES, "active": frozenset({ACTIVE})}
_URI = re.compile(r"filecoin://([ft][0-9][A-Za-z0-9]{1,90})/(b[a-z2-7]{50,120})")


class LotusPublisher:
    """Makes deals by the credential; there is no target, since nothing of this is the job's.

    Fields: `miner`, `price` (FIL for an epoch) and `duration` (epochs of 30 s, 518400 or more) are
    needed. `executable`, `path` (LOTUS_PATH) and `api_info` (FULLNODE_API_INFO) say which daemon,
    `wallet` who pays (default: the daemon's own), `folder` where that daemon can read and write
    files (default: below the node's state), `wait_for` whether a publication is done when the
    provider has all bytes (`accepted`, the default) or has sealed them (`active`, up to a day).
    """

    name = "lotus"
    paid = True

    def __init__(
        self,
        target: str,
        credential: Mapping[str, str],
        workplace: Workplace,
        *,
        on_its_way_s: float = ON_ITS_WAY_S,
    ) -> None:
        if target:
            raise PublishError(
                "bad-target",
                f"the publisher 'lotus' takes no target, and was given {target[:80]!r}",
                permanent=True,
                hint="Leave it out: miner and price stand in the credential",
            )
        self._terms = read_terms(credential)
        self._cli = LotusCli(credential)
        folder = credential.get("folder") or workplace.folder / "lotus"
        self._cars = Cars(self._cli, Path(folder).absolute())
        self._ledger = Ledger(self._cli, self._cars, workplace.folder, self._terms.miner)
        self._on_its_way_s = on_its_way_s
        self._sweeping: asyncio.Task[None] | None = None
        self._swept_s = -SWEEP_S

    async def check(self) -> None:
        await self._cli.imports()
        if not self._terms.wallet and not await self._cli.wallet():
            raise PublishError(
                "no-wallet",
                "the lotus daemon has no wallet",
                permanent=True,
                hint="Make one by `lotus wallet new`, and put the price of some deals into it",
            )
        await self._cars.open()
        self._sweep_soon()

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        require_key(key)
        self._sweep_soon()
        slot = await self._ledger.acquire(key, cid)
        try:
            record = await self._ledger.remembered(slot)
            if record is None or await self._ledger.outcome(slot, record) is None:
                record = await self._make(slot, result, self._ledger.begin(key, cid))
        finally:
            await whole(slot.close)
        limit_s = WAIT_S[self._terms.wait_for]
        deal = await self._followed(record.proposal, Path(record.car), limit_s)
        if deal.failed:
            await self._clear_up(record, deal)
        return self._location(deal, record.size_bytes)

    async def lookup(self, key: str, *, cid: str) -> Location | None:
        """Ask what came of an earlier try; see `PaidPublisher`.

        A node that never began a slot answers with a deal that another one has made by the same
        daemon; `size_bytes` is then that of its padded piece, as no more is known here. Its None
        says nothing of other nodes: the log says who has begun.
        """
        require_key(key)
        while (found := await self._found(key, cid)) is not None:
            deal, record = found
            car = Path(record.car) if record is not None else None
            with suppress(PublishError):  # it takes long, or the daemon is away: it was made
                deal = await self._followed(deal.proposal, car, self._on_its_way_s)
            if not deal.failed:
                return self._location(deal, record.size_bytes if record else deal.size_bytes)
        return None

    async def verify(self, location: Location) -> None:
        """Ask the daemon how the deal stands.

        That it holds the bytes, a provider proves to the chain day by day.
        """
        _, proposal = _parts(location)
        deal = await self._cli.deal(proposal)
        if deal.root != location.cid:
            raise wrong_root(deal, location.cid)
        if deal.failed:
            raise PublishError(
                "missing", str(deal), permanent=True, hint="Publish it elsewhere, by another job"
            )

    def copy(self, location: Location) -> Copy:
        miner, _ = _parts(location)
        return LotusCopy(self._cli, self._cars.folder, miner, location.cid)

    async def close(self) -> None:
        """Release what is held; a deal that is being made goes on, and `lookup` finds it."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])
        await self._cars.close()

    async def _found(self, key: str, cid: str) -> tuple[Deal, Record | None] | None:
        """Return the deal of an earlier try that has not failed, and what is remembered of it.

        None, and nothing is remembered, when surely nothing came of any. Raises `PublishError`
        while nobody can tell.
        """
        slot = await self._ledger.acquire(key, cid)
        try:
            record = await self._ledger.remembered(slot)
            if record is None:
                deal = await self._ledger.unremembered(key, cid)
            else:
                deal = await self._ledger.outcome(slot, record)
            return None if deal is None else (deal, record)
        finally:
            await whole(slot.close)

    async def _make(self, slot: Slot, result: Result, record: Record) -> Record:
        """Make a deal for a locked slot that remembers nothing, and return its record."""
        try:
            # From here on, this node can say that nothing was asked of the provider.
            await whole(slot.write, record)
            await self._pack(result, record)
            ended = await self._propose(slot, record)
        except (PublishError, OSError) as error:
            await self._ledger.discard(slot, record)
            if isinstance(error, OSError):
                error = disk_error(error, f"the folder {slot.folder}")
            raise _unpaid(error) from error
        try:
            async with asyncio.timeout(MAKING_S):
                await ended
        except TimeoutError:
            raise in_progress(record.key) from None
        _, complaint = await whole(slot.printed)
        if not await self._ledger.settle(slot, record):
            raise _unpaid(self._cli.failure("client deal", complaint))
        return record

    async def _pack(self, result: Result, record: Record) -> None:
        """Write the CAR and have the daemon know it."""
        await self._cli.imports()  # or all the packing would be for a daemon that is away
        plan = await plan_car(result, record.cid)
        try:
            record.size_bytes = plan.skeleton.dag_size_bytes
            record.car_size_bytes = plan.size_bytes
            await self._cars.pack(plan, Path(record.car))
        finally:
            await asyncio.to_thread(plan.close)
        await self._cars.note(Path(record.car), record.cid)

    async def _propose(self, slot: Slot, record: Record) -> "asyncio.Future[int]":
        """Run the one command that costs money; an error says that it surely was not."""
        terms = self._terms
        payer = ["--from", terms.wallet] if terms.wallet else []
        arguments = [*payer, record.cid, terms.miner, terms.price, terms.duration]
        record.step = "proposing"
        record.proposing_s = int(time.time())
        answer, complaint = await whole(slot.outputs)
        try:
            await whole(slot.write, record)
            # In the loop, though it blocks for a moment: nobody lets go of the lock meanwhile.
            return self._cli.start_deal(arguments, answer, complaint, slot.lock)
        finally:
            os.close(answer)
            os.close(complaint)

    async def _followed(self, proposal: str, car: Path | None, limit_s: float) -> Deal:
        """Ask after a deal until it has failed or is as far as the operator wants it.

        `car` is removed when the daemon needs it no more. Raises `PublishError` at the limit.
        """
        pause_s = FIRST_PAUSE_S
        last: PublishError | None = None
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    try:
                        deal = await self._cli.deal(proposal)
                    except PublishError as error:
                        last = error  # the daemon may be back soon, and the deal is made anyway
                    else:
                        if deal.failed:
                            return deal
                        if deal.transferred and car is not None:
                            await self._cars.release(car)
                        if deal.state in _ENOUGH[self._terms.wait_for]:
                            return deal
                    await asyncio.sleep(pause_s)
                    pause_s = min(1.5 * pause_s, LAST_PAUSE_S)
        except TimeoutError:
            raise last or PublishError(
                "pending",
                f"the deal {proposal} is not {self._terms.wait_for} after {limit_s:.0f} s",
                hint="It was made: ask after it by `lotus client get-deal`",
            ) from None

    async def _clear_up(self, record: Record, deal: Deal) -> NoReturn:
        """Say that a deal has failed; forget it before, if surely nothing was paid for it."""
        slot = await self._ledger.acquire(record.key, record.cid)
        try:
            if await self._ledger.remembered(slot) != record:
                raise in_progress(record.key)  # somebody has tried again meanwhile
            await self._ledger.judge(slot, record, deal)
        finally:
            await whole(slot.close)
        raise deal_failed(deal)

    def _sweep_soon(self) -> None:
        idle = self._sweeping is None or self._sweeping.done()
        if idle and time.monotonic() - self._swept_s >= SWEEP_S:
            self._swept_s = time.monotonic()
            self._sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        with suppress(PublishError, OSError):  # who needs that place is told by a publication
            await self._ledger.sweep()

    def _location(self, deal: Deal, size_bytes: int) -> Location:
        return Location(f"filecoin://{self._terms.miner}/{deal.proposal}", deal.root, size_bytes)


def _parts(location: Location) -> tuple[str, str]:
    """Return the provider and the proposal of a URI: it came from the log and may be anything."""
    found = _URI.fullmatch(location.uri)
    if found is None:
        raise PublishError(
            "bad-location",
            f"{location.uri[:120]!r} is no deal",
            permanent=True,
            hint="It must be filecoin://<provider>/<proposal CID>",
        )
    return found[1], found[2]


def _unpaid(error: PublishError) -> PublishError:
    return PublishError(
        error.code, error.what, permanent=error.permanent, unpaid=True, hint=error.hint
    )
