"""What only the driver `lotus` promises: its terms, its CARs, and what it says of failures."""

import asyncio
import fcntl
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from events.errors import PublishError
from publishers import reading
from publishers.lotus import LotusPublisher
from publishers.port import Location, SmallResult, Workplace
from publishers.unixfs import result_cid
from tests.contracts.places.lotus import LotusPlace
from tests.servers.lotus import MINER, Lotus

RESULT = SmallResult(b"hello\n", b"", 0)
CID = result_cid(b"hello\n", b"", 0).cid
KEY = "job/0"
REPOSITORY = Path(__file__).parents[2]
JWT = "eyJhbGciOiJIUzI1NiJ9.secret"


@pytest.fixture
def place(tmp_path: Path) -> LotusPlace:
    return LotusPlace(tmp_path)


@pytest.fixture
def lotus(place: LotusPlace) -> Lotus:
    return place.lotus


@pytest.fixture
async def publisher(place: LotusPlace) -> AsyncIterator[LotusPublisher]:
    opened = LotusPublisher("", place.credential, place.workplace)
    yield opened
    await opened.close()


async def refusal(publisher: LotusPublisher) -> PublishError:
    """Return the error of a publication that fails."""
    with pytest.raises(PublishError) as caught:
        await publisher.publish(RESULT, KEY, cid=CID)
    return caught.value


def commands(lotus: Lotus, name: str) -> list[list[str]]:
    """Return the arguments of all runs of one `client` command."""
    called = [call["arguments"] for call in lotus.calls()]
    return [arguments[2:] for arguments in called if arguments[:2] == ["client", name]]


async def test_a_deal_is_made_by_the_terms_of_the_credential(place: LotusPlace) -> None:
    """Miner, price, duration and wallet come from the operator, and the URI names the deal."""
    terms = {"wallet": "f1abcdefg", "price": "0.25", "duration": "600000"}
    publisher = LotusPublisher("", place.credential | terms, place.workplace)
    location = await publisher.publish(RESULT, KEY, cid=CID)
    await publisher.close()
    (arguments,) = commands(place.lotus, "deal")
    assert arguments == ["--from", "f1abcdefg", CID, MINER, "0.25", "600000"]
    (proposal,) = place.lotus.state["deals"]
    assert location == Location(f"filecoin://{MINER}/{proposal}", CID, location.size_bytes)
    assert place.lotus.state["interactive"] == 0


async def test_a_child_gets_little_of_our_environment_and_no_secret_as_argument(
    place: LotusPlace,
) -> None:
    """The token of the daemon stands in the environment of the child and nowhere else."""
    place.lotus.control(token=JWT)
    secret = f"{JWT}:/ip4/127.0.0.1/tcp/1234/http"
    publisher = LotusPublisher("", place.credential | {"api_info": secret}, place.workplace)
    await publisher.check()
    await publisher.publish(RESULT, KEY, cid=CID)
    await publisher.close()
    allowed = {"PATH", "HOME", "LOTUS_PATH", "FULLNODE_API_INFO"}
    of_the_shell = {"PWD", "LC_CTYPE", "SHLVL", "_", "OLDPWD"}
    for call in place.lotus.calls():
        assert set(call["environment"]) <= allowed | of_the_shell
        assert call["environment"]["FULLNODE_API_INFO"] == secret
        assert JWT not in " ".join(call["arguments"])
    written = [path for path in place.workplace.folder.rglob("*") if path.is_file()]
    assert not any(JWT.encode() in path.read_bytes() for path in written)


async def test_a_daemon_that_repeats_the_token_does_not_make_us_repeat_it(
    place: LotusPlace, lotus: Lotus
) -> None:
    """A refused token is told as refused, without the token that the command printed."""
    lotus.control(token="another")
    credential = place.credential | {"api_info": f"{JWT}:/ip4/127.0.0.1/tcp/1234/http"}
    publisher = LotusPublisher("", credential, place.workplace)
    error = await refusal(publisher)
    await publisher.close()
    assert (error.code, error.permanent, error.unpaid) == ("refused", True, True)
    assert JWT not in str(error)


@pytest.mark.parametrize(
    ("control", "code", "permanent"),
    [
        ({"away": True}, "unreachable", False),
        ({"refuse": "not enough funds in market escrow"}, "lotus-failed", False),
        ({"wrong_root": True}, "wrong-root", True),
        ({"no_wallet": True}, "lotus-failed", False),
    ],
)
async def test_before_a_deal_is_made_failures_are_unpaid(
    publisher: LotusPublisher, lotus: Lotus, control: dict[str, Any], code: str, permanent: bool
) -> None:
    """A daemon that is away or refuses has taken no money, and a repeat makes the first deal."""
    lotus.control(**control)
    error = await refusal(publisher)
    assert (error.code, error.permanent, error.unpaid) == (code, permanent, True)
    assert (lotus.made, list(publisher._cars.folder.glob("*.car"))) == (0, [])
    lotus.control()
    await publisher.publish(RESULT, KEY, cid=CID)
    assert lotus.made == 1


async def test_a_missing_executable_is_unpaid(place: LotusPlace) -> None:
    """Where there is no lotus, nothing was paid, and the error says which one was looked for."""
    credential = place.credential | {"executable": "no-such-lotus"}
    publisher = LotusPublisher("", credential, place.workplace)
    error = await refusal(publisher)
    await publisher.close()
    assert (error.code, error.permanent, error.unpaid) == ("not-installed", True, True)
    assert "no-such-lotus" in error.what


async def test_a_folder_that_cannot_be_written_is_unpaid(place: LotusPlace, tmp_path: Path) -> None:
    """Where the CAR finds no place no deal is made, and the error says which folder it is."""
    (tmp_path / "file").touch()
    folder = str(tmp_path / "file" / "cars")
    publisher = LotusPublisher("", place.credential | {"folder": folder}, place.workplace)
    error = await refusal(publisher)
    await publisher.close()
    assert (error.code, error.unpaid, place.lotus.made) == ("io-error", True, 0)
    assert folder in error.what


@pytest.mark.parametrize(
    ("at", "message", "to", "unpaid"),
    [
        (20, "adding market funds failed: not enough funds", 11, True),
        (12, "unexpected deal status while waiting for data request: 2 (..)", 11, True),
        (13, "deal failed: (State=2) price too low", 11, True),
        (12, "", 2, True),
        (12, "unexpected deal status while waiting for data request: 24 (..)", 11, False),
        (13, "deal failed: (State=26) error publishing deal", 11, False),
        (16, "failed to complete data transfer: stream reset", 11, False),
        (3, "error validating deal published", 26, False),
        (7, "", 9, False),
    ],
)
async def test_a_failed_deal_is_unpaid_only_if_the_provider_turned_it_down(
    place: LotusPlace, lotus: Lotus, at: int, message: str, to: int, unpaid: bool
) -> None:
    """A rejected proposal was not paid; one that the provider still holds may yet be."""
    lotus.control(fail={"at": at, "to": to, "message": message})
    credential = place.credential | {"wait_for": "active"}
    publisher = LotusPublisher("", credential, place.workplace)
    if at == 7:
        lotus.control(pace=20)
        await publisher.publish(RESULT, KEY, cid=CID)
        state = lotus.state
        for deal in state["deals"].values():
            deal["state"] = to
        lotus.state = state
    error = await refusal(publisher)
    assert (error.code, error.permanent, error.unpaid) == ("deal-failed", True, unpaid)
    if unpaid:
        assert await publisher.lookup(KEY, cid=CID) is None
    else:
        with pytest.raises(PublishError, match="person"):
            await publisher.lookup(KEY, cid=CID)
    await publisher.close()
    assert lotus.made == 1
    assert await place.leftovers() == []


async def test_a_rejected_deal_may_be_made_anew(publisher: LotusPublisher, lotus: Lotus) -> None:
    """After a deal that surely cost nothing, the next publication makes another."""
    lotus.control(fail={"at": 13, "message": "deal failed: (State=2) price too low"})
    assert (await refusal(publisher)).unpaid
    lotus.control()
    location = await publisher.publish(RESULT, KEY, cid=CID)
    await publisher.verify(location)
    assert lotus.made == 2


async def test_a_lost_car_fails_the_deal_and_nothing_is_published(
    place: LotusPlace, lotus: Lotus
) -> None:
    """The daemon reads the CAR only at transfer time; when it is gone, so is the deal."""
    lotus.control(hold=16)
    publisher = LotusPublisher("", place.credential, place.workplace)
    await _make_and_leave(publisher, lotus)
    (car,) = publisher._cars.folder.glob("*.car")
    car.unlink()
    lotus.control()
    with pytest.raises(PublishError, match="data transfer"):
        await publisher.lookup(KEY, cid=CID)
    await publisher.close()
    assert await place.seen_cid(KEY, CID) is None


@pytest.mark.parametrize("by", ["its node", "another node"])
async def test_a_deal_found_on_its_way_is_waited_for(
    by: str, place: LotusPlace, lotus: Lotus
) -> None:
    """What was found in the middle of its transfer counts only when the provider has taken it."""
    lotus.control(hold=16)
    begun = LotusPublisher("", place.credential, place.workplace)
    await _make_and_leave(begun, lotus)
    folder = place.workplace.folder if by == "its node" else place.workplace.folder / "another"
    publisher = LotusPublisher("", place.credential, Workplace(folder))
    asking = asyncio.ensure_future(publisher.lookup(KEY, cid=CID))
    asked = len(commands(lotus, "get-deal"))
    while not asking.done() and len(commands(lotus, "get-deal")) < asked + 3:
        await asyncio.to_thread(os.stat, lotus.home)
    assert not asking.done()

    lotus.control(fail={"at": 16, "message": "deal failed: (State=2) too small", "to": 26})
    assert await asking is None
    await publisher.close()
    await begun.close()


async def test_the_car_stays_until_the_transfer_has_ended(place: LotusPlace, lotus: Lotus) -> None:
    """A publication that is long on its way keeps the CAR, and a later start removes it."""
    lotus.control(hold=16)
    publisher = LotusPublisher("", place.credential, place.workplace, on_its_way_s=0.1)
    await _make_and_leave(publisher, lotus)
    location = await publisher.lookup(KEY, cid=CID)
    await publisher.close()
    (car,) = publisher._cars.folder.glob("*.car")
    assert location is not None

    lotus.control()
    later = LotusPublisher("", place.credential, place.workplace)
    await later.check()
    assert later._sweeping is not None
    await later._sweeping
    await later.verify(location)
    await later.close()
    assert not car.exists()
    assert lotus.state["imports"] == {}
    assert await place.seen_cid(KEY, CID) == CID


async def test_active_waits_until_the_deal_is_sealed(place: LotusPlace, lotus: Lotus) -> None:
    """With `wait_for` active a publication is done when the chain has the sealed deal."""
    lotus.control(pace=1)
    publisher = LotusPublisher("", place.credential | {"wait_for": "active"}, place.workplace)
    await publisher.publish(RESULT, KEY, cid=CID)
    await publisher.close()
    (deal,) = lotus.state["deals"].values()
    assert deal["state"] == 7


async def test_a_retrieval_happens_once_and_leaves_nothing(
    publisher: LotusPublisher, lotus: Lotus, place: LotusPlace
) -> None:
    """A copy fetches the whole CAR with its first block, never pays, and removes it when closed."""
    location = await publisher.publish(RESULT, KEY, cid=CID)
    copy = publisher.copy(location)
    await reading.verify(copy, CID)
    await copy.close()
    (arguments,) = commands(lotus, "retrieve")
    assert arguments[:5] == ["--car", "--provider", MINER, "--maxPrice", "0"]
    await publisher.close()
    assert await place.leftovers() == []


async def test_a_retrieved_car_that_was_changed_is_not_read(
    publisher: LotusPublisher, lotus: Lotus
) -> None:
    """A provider that gives other bytes is found out before anybody gets them."""
    location = await publisher.publish(RESULT, KEY, cid=CID)
    (stored,) = (lotus.home / "stored").iterdir()
    stored.write_bytes(stored.read_bytes().replace(b"hello", b"jello"))
    copy = publisher.copy(location)
    with pytest.raises(PublishError, match="damaged"):
        _ = [chunk async for chunk in reading.fetch(copy, CID, "stdout")]
    await copy.close()


async def test_deals_that_another_node_made_are_found_by_content_and_provider(
    place: LotusPlace, lotus: Lotus, tmp_path: Path
) -> None:
    """Where nodes share a daemon, a takeover finds the deal among others; else it finds none."""
    publisher = LotusPublisher("", place.credential, place.workplace)
    for number in range(3):
        result = SmallResult(b"%d" % number, b"", 0)
        await publisher.publish(result, f"job/{number}", cid=result_cid(b"%d" % number, b"", 0).cid)
    location = await publisher.publish(RESULT, "job/9", cid=CID)
    await publisher.close()
    other = LotusPublisher("", place.credential, Workplace(tmp_path / "other"))
    found = await other.lookup("job/9", cid=CID)
    assert found is not None
    assert found.uri == location.uri
    elsewhere = place.credential | {"miner": "f09999"}
    third = LotusPublisher("", elsewhere, Workplace(tmp_path / "third"))
    assert await third.lookup("job/9", cid=CID) is None
    await other.close()
    await third.close()


async def test_a_slot_begun_with_another_provider_stays_with_it(
    place: LotusPlace, lotus: Lotus
) -> None:
    """When the operator has changed the provider since, nobody takes the slot for unpaid."""
    publisher = LotusPublisher("", place.credential, place.workplace)
    await publisher.publish(RESULT, KEY, cid=CID)
    await publisher.close()
    changed = place.credential | {"miner": "f09999"}
    later = LotusPublisher("", changed, place.workplace)
    with pytest.raises(PublishError, match="begun with"):
        await later.lookup(KEY, cid=CID)
    await later.close()


HEADER = "Created  DealCid  DealId  Provider  State  On Chain?"
ROW = f"Oct  5 12:00:00  {'b' * 59}  0  f09999  StorageDealActive  N"


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "nothing here",
        f"{HEADER}\nOct  5 12:00:00  ...abcdefgh  0  f01234  Active",
        f"{HEADER}\nthe end of a message",
        f"{HEADER}\n{ROW}\nStorageDealActive  f01234",
        f"{HEADER}\n{ROW}\nyesterday  {'b' * 59}  0  f01234",
    ],
)
async def test_a_table_that_cannot_be_read_is_not_taken_for_an_empty_one(
    place: LotusPlace, printed: str
) -> None:
    """A lotus that prints something else leaves the slot in doubt."""
    script = f"#!/bin/sh\ncat <<'END'\n{printed}\nEND\n"
    place.lotus.executable.write_text(script, encoding="utf-8")
    publisher = LotusPublisher("", place.credential, place.workplace)
    with pytest.raises(PublishError, match="unknown") as caught:
        await publisher.lookup(KEY, cid=CID)
    await publisher.close()
    assert not caught.value.unpaid


async def test_an_error_of_several_lines_ends_no_search(
    place: LotusPlace, publisher: LotusPublisher, lotus: Lotus, tmp_path: Path
) -> None:
    """The list shows a failed deal's message as it is, and its further lines are no rows."""
    lotus.control(fail={"at": 16, "message": "exhausted 5 attempts\n\n\tdial: refused", "to": 26})
    assert (await refusal(publisher)).code == "deal-failed"
    lotus.control()
    other = result_cid(b"x", b"", 0).cid
    made = await publisher.publish(SmallResult(b"x", b"", 0), "job/1", cid=other)
    elsewhere = LotusPublisher("", place.credential, Workplace(tmp_path / "elsewhere"))
    found = await elsewhere.lookup("job/1", cid=other)
    await elsewhere.close()
    assert found is not None
    assert found.uri == made.uri


async def test_a_lotus_without_client_commands_is_told_as_such(place: LotusPlace) -> None:
    """A version from which deals were removed is no use, and nothing was paid."""
    script = "#!/bin/sh\necho \"No help topic for 'client'\" >&2\nexit 3\n"
    place.lotus.executable.write_text(script, encoding="utf-8")
    publisher = LotusPublisher("", place.credential, place.workplace)
    error = await refusal(publisher)
    await publisher.close()
    assert (error.code, error.permanent, error.unpaid) == ("not-installed", True, True)
    assert "v1.27.0" in error.hint


@pytest.mark.parametrize("mode", ["steps", "parent", "command"])
async def test_no_crash_makes_a_second_deal(mode: str, tmp_path: Path) -> None:
    """Killed at any step, node or command, a slot has one deal, which the next life finds."""
    program = [sys.executable, "-m", "tests.publishers.lotus_crashes", mode, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(
        *program, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    lives = [json.loads(line) for line in printed.splitlines()]
    assert process.returncode == 0
    assert lives[-1]["came_to"] == "done"
    for life in lives:
        assert life["made"] == 1, life
        assert life["whole"], life
        assert (life["left"], life["imports"]) == ([], {}), life
    assert {"none", "found"} <= {life["told"][-1] for life in lives}
    assert len(lives) > 10


async def test_a_daemon_without_a_wallet_fails_the_check(
    publisher: LotusPublisher, lotus: Lotus
) -> None:
    """Who cannot pay is told so before anything is packed."""
    lotus.control(no_wallet=True)
    with pytest.raises(PublishError, match="default address"):
        await publisher.check()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("miner", ""), ("miner", "--help"), ("miner", "f0 1"), ("price", ""), ("price", "-1"),
        ("price", "cheap"), ("duration", ""), ("duration", "0"), ("duration", "a year"),
        ("wallet", "--from"), ("wait_for", "sealed"),
    ],
)  # fmt: skip
def test_terms_that_cannot_be_used_are_refused(place: LotusPlace, field: str, value: str) -> None:
    """A missing term, or one that the command could take for an option, is refused by its name."""
    with pytest.raises(PublishError, match=f"'{field}'") as caught:
        LotusPublisher("", place.credential | {field: value}, place.workplace)
    assert (caught.value.code, caught.value.permanent) == ("credential", True)


async def _make_and_leave(publisher: LotusPublisher, lotus: Lotus) -> None:
    """Publish until the deal is made, and give up while it is still on its way."""
    publishing = asyncio.ensure_future(publisher.publish(RESULT, KEY, cid=CID))
    while not any(deal["state"] == 16 for deal in lotus.state["deals"].values()):
        await asyncio.to_thread(os.stat, lotus.home)
    publishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await publishing


async def test_a_deal_being_made_is_waited_for(
    publisher: LotusPublisher, lotus: Lotus, place: LotusPlace, tmp_path: Path
) -> None:
    """Given up in the middle of `client deal`, a publication is found by the next to ask."""
    gate = tmp_path / "gate"
    with open(gate, "wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        lotus.control(gate=["client deal", str(gate)], token="jwt")
        publishing = asyncio.ensure_future(publisher.publish(RESULT, KEY, cid=CID))
        while not commands_so_far(lotus, "deal"):
            await asyncio.to_thread(os.stat, lotus.home)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing
        asking = asyncio.ensure_future(publisher.lookup(KEY, cid=CID))
        repeating = asyncio.ensure_future(publisher.publish(RESULT, KEY, cid=CID))
        done, _ = await asyncio.wait({asking, repeating}, timeout=0.2)
        assert not done
    found = await asking
    assert found is not None
    assert (await repeating).uri == found.uri
    assert lotus.made == 1


def commands_so_far(lotus: Lotus, name: str) -> bool:
    """Whether a command was run by now."""
    return (lotus.home / "calls.jsonl").exists() and bool(commands(lotus, name))
