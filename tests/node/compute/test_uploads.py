"""Publications of a node, with a driver that answers as a test wants it to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from events.errors import PublishError
from events.spec import PublisherSpec
from node.compute.destinations import OPEN_MAX
from node.compute.tasks import Upload
from node.compute.uploads import AT_ONCE, MESSAGE_CHARS_MAX, Order, Uploads
from node.credentials import Credentials
from publishers.port import Copy, Location, Publisher, Result, SmallResult, Workplace

RESULT = SmallResult(b"out", b"", 0)
LIMIT_S = 30.0
Answer = Callable[[], Awaitable[None]]


class Service:
    """What all drivers of a test have in common: their calls in order, and how it answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.running = 0
        self.most = 0
        self.arrived = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()
        self.check_error: PublishError | None = None
        self.error: Exception | None = None
        self.found: Location | None = None

    def open(
        self, name: str, target: str, credential: Mapping[str, str], workplace: Workplace
    ) -> Publisher:
        """Open a driver, as `publishers.open_publisher` does."""
        self.calls.append(f"open {credential.get('token', '')}")
        return Held(self, name, credential)


class Held:
    """A driver of the publisher's port that publishes when the service lets it."""

    def __init__(self, service: Service, name: str, credential: Mapping[str, str]) -> None:
        self.name = name
        self.paid = name == "paid"
        self._service = service
        self._token = credential.get("token", "")

    async def check(self) -> None:
        """Fail as the service says."""
        self._service.calls.append("check")
        if self._service.check_error is not None:
            raise self._service.check_error

    async def publish(
        self, result: Result, key: str, *, cid: str, replace: bool = False
    ) -> Location:
        """Publish once the service goes."""
        service = self._service
        service.running += 1
        service.most = max(service.most, service.running)
        service.arrived.set()
        try:
            await service.go.wait()
        finally:
            service.running -= 1
        if service.error is not None:
            raise service.error
        service.calls.append(f"publish {key}")
        return Location(f"held://{key}", cid, 7)

    async def lookup(self, key: str, *, cid: str) -> Location | None:
        """Answer as the service says."""
        self._service.calls.append(f"lookup {key}")
        return self._service.found

    async def verify(self, location: Location) -> None:
        """Nothing is ever wrong."""

    def fetch(self, location: Location, path: str) -> AsyncIterator[bytes]:
        """Nothing is read here."""
        raise AssertionError

    def copy(self, location: Location) -> Copy:
        """Nothing is read here."""
        raise AssertionError

    async def close(self) -> None:
        """Say so."""
        self._service.calls.append(f"close {self._token}")


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("token-geheim-1")
    return file


@pytest.fixture
async def uploads(service: Service, token: Path, tmp_path: Path) -> AsyncIterator[Uploads]:
    credentials = Credentials(
        {"LOTA_CRED_LAB_TOKEN_FILE": str(token), "LOTA_CRED_OTHER_TOKEN": "token-other"}
    )
    workplace = Workplace(tmp_path / "work")
    made = Uploads(tmp_path, (), workplace, credentials, limit_s=LIMIT_S, open_driver=service.open)
    yield made
    service.go.set()
    await made.close()


def order(driver: str = "held", key: str = "j/0", **fields: Any) -> Order:
    """Return an order for a driver with the credential `lab`, if nothing else is said."""
    spec = PublisherSpec(driver=driver, **{"credential": "lab", **fields})
    return Order(spec, key, "cid", paid=driver == "paid")


async def load() -> Result | None:
    return RESULT


async def never() -> bool:
    return False


async def publish(uploads: Uploads, wanted: Order) -> Upload:
    upload = Upload(slot=0, decision="", fence=0, state="working")
    await uploads.publish(wanted, upload, load, never)
    return upload


async def test_a_driver_is_opened_and_checked_once(uploads: Uploads, service: Service) -> None:
    """However many publications there are, the place is looked at before the first alone."""
    done = await asyncio.gather(*(publish(uploads, order(key=f"j/{n}")) for n in range(3)))
    assert [upload.state for upload in done] == ["done"] * 3
    assert (done[1].uri, done[1].cid, done[1].size_bytes) == ("held://j/1", "cid", 7)
    assert service.calls[:2] == ["open token-geheim-1", "check"]
    assert sorted(service.calls[2:]) == ["publish j/0", "publish j/1", "publish j/2"]


async def test_a_failed_check_fails_its_publication(uploads: Uploads, service: Service) -> None:
    """The check's own error is told, nothing is published, and the next one checks again."""
    service.check_error = PublishError("refused", "no access", permanent=True)
    failed = await publish(uploads, order())
    assert (failed.state, failed.code, failed.permanent) == ("failed", "refused", True)
    service.check_error = None
    assert (await publish(uploads, order())).state == "done"
    assert service.calls == ["open token-geheim-1", "check", "check", "publish j/0"]


async def test_a_new_value_cuts_off_nothing(
    uploads: Uploads, service: Service, token: Path
) -> None:
    """A rotated secret opens another driver, and the old one closes when its upload has ended."""
    service.go.clear()
    running = asyncio.ensure_future(publish(uploads, order(key="j/0")))
    await service.arrived.wait()
    service.arrived.clear()
    token.write_text("token-geheim-2")
    later = asyncio.ensure_future(publish(uploads, order(key="j/1")))
    await service.arrived.wait()
    assert service.calls == ["open token-geheim-1", "check", "open token-geheim-2", "check"]
    service.go.set()
    assert (await running).state == (await later).state == "done"
    await uploads.close()
    assert sorted(service.calls[4:6]) == ["publish j/0", "publish j/1"]
    assert service.calls.count("close token-geheim-1") == 1
    assert service.calls.count("close token-geheim-2") == 1


async def test_a_service_that_hangs_holds_up_no_other(uploads: Uploads, service: Service) -> None:
    """Only a few publications are under way there, and another credential's are not behind them."""
    service.go.clear()
    hung = [
        asyncio.ensure_future(publish(uploads, order(key=f"j/{n}"))) for n in range(2 * AT_ONCE)
    ]
    other = Service()
    elsewhere = asyncio.ensure_future(publish(uploads, order(credential="other", key="k/0")))
    while service.running <= AT_ONCE:
        service.arrived.clear()
        await service.arrived.wait()
    assert service.most == AT_ONCE + 1
    service.go.set()
    await asyncio.gather(elsewhere, *hung)
    assert service.most == AT_ONCE + 1
    assert other.most == 0


async def test_small_results_share_a_group_commit(uploads: Uploads, service: Service) -> None:
    """For a folder of this machine they need no room, so that all can be written together."""
    service.go.clear()
    many = [
        asyncio.ensure_future(publish(uploads, order("local", key=f"j/{n}", credential="")))
        for n in range(3 * AT_ONCE)
    ]
    while service.running < len(many):
        service.arrived.clear()
        await service.arrived.wait()
    service.go.set()
    assert {upload.state for upload in await asyncio.gather(*many)} == {"done"}


async def test_a_publication_has_a_time_limit(service: Service, tmp_path: Path) -> None:
    """A driver that does not come back is given up, and may be tried again."""
    service.go.clear()
    workplace = Workplace(tmp_path)
    impatient = Uploads(
        tmp_path, (), workplace, Credentials(), limit_s=0.01, open_driver=service.open
    )
    upload = await publish(impatient, order(credential=""))
    assert (upload.state, upload.code, upload.permanent) == ("failed", "timeout", False)
    assert service.running == 0
    await impatient.close()


async def test_a_secret_stays_on_the_node(uploads: Uploads, service: Service) -> None:
    """What goes onto the log names no value, not even one that the limit of the text cuts."""
    for padding in range(MESSAGE_CHARS_MAX - 40, MESSAGE_CHARS_MAX):
        what = f"{'x' * padding} https://u:token-geheim-1@host/?k=token%2Dgeheim%2D1"
        service.error = PublishError("refused", what, hint="token-geheim-1")
        upload = await publish(uploads, order())
        assert upload.state == "failed"
        assert "geheim" not in upload.message


async def test_a_foreign_error_fails_the_upload(
    uploads: Uploads, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A driver's bug leaves no slot waiting, and its traceback is in the node's log."""
    service.error = KeyError("token-geheim-1")
    upload = await publish(uploads, order())
    assert (upload.state, upload.code) == ("failed", "internal")
    assert upload.message == "KeyError: '***'"
    assert caplog.records[-1].exc_info is not None


async def test_a_name_that_is_not_here_is_for_another_node(uploads: Uploads) -> None:
    """A credential that this node lacks fails for good here."""
    upload = await publish(uploads, order(credential="none-such"))
    assert (upload.code, upload.permanent) == ("credential", True)


async def test_a_result_that_is_gone_is_told(uploads: Uploads, service: Service) -> None:
    """Nothing is asked of the service when there is nothing to publish."""

    async def nothing() -> Result | None:
        return None

    upload = Upload(slot=0, decision="", fence=0)
    await uploads.publish(order(), upload, nothing, never)
    assert (upload.code, upload.permanent) == ("gone", True)
    assert "check" not in service.calls


async def test_a_lookup_finds_what_was_paid(uploads: Uploads, service: Service) -> None:
    """What the service knows is the publication, without checking, publishing or paying."""
    service.found = Location("paid://deal", "cid", 9)
    upload = Upload(slot=0, decision="", fence=0, lookup=True, begun=True)
    await uploads.lookup(order("paid"), upload)
    assert (upload.state, upload.uri) == ("done", "paid://deal")
    assert service.calls == ["open token-geheim-1", "lookup j/0"]


async def test_a_lookup_that_finds_nothing_frees_the_slot(uploads: Uploads) -> None:
    """Who had begun to pay and surely has not says so."""
    upload = Upload(slot=0, decision="", fence=0, lookup=True, begun=True)
    await uploads.lookup(order("paid"), upload)
    assert (upload.state, upload.code, upload.unpaid) == ("failed", "unpaid", True)


async def test_what_fails_before_the_payment_is_unpaid(uploads: Uploads, service: Service) -> None:
    """A check that fails has cost nothing; once publishing has begun nobody can say so."""
    service.check_error = PublishError("refused", "no access")
    assert (await publish(uploads, order("paid"))).unpaid
    service.check_error = None
    service.error = PublishError("cut", "the connection was lost")
    assert not (await publish(uploads, order("paid"))).unpaid
    service.error = PublishError("poor", "the wallet is empty", unpaid=True)
    assert (await publish(uploads, order("paid"))).unpaid


async def test_the_driver_used_longest_ago_gives_way(uploads: Uploads, service: Service) -> None:
    """A job with a target of its own never finds the node full."""
    for number in range(OPEN_MAX + 1):
        assert (await publish(uploads, order(target=f"t{number}"))).state == "done"
    await publish(uploads, order(target="t1"))
    assert sum(call.startswith("open") for call in service.calls) == OPEN_MAX + 1
    await publish(uploads, order(target="t0"))
    assert sum(call.startswith("open") for call in service.calls) == OPEN_MAX + 2


async def test_closing_waits_for_what_runs(uploads: Uploads, service: Service) -> None:
    """A driver is closed after the publication that uses it has ended."""
    service.go.clear()
    running = asyncio.ensure_future(publish(uploads, order()))
    await service.arrived.wait()
    closing = asyncio.ensure_future(uploads.close())
    service.go.set()
    await closing
    assert (await running).state == "done"
    assert service.calls[-2:] == ["publish j/0", "close token-geheim-1"]
