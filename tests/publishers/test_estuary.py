"""What only the driver `estuary` promises: end points in order, no duplicates, collections."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from events.errors import PublishError
from publishers.estuary import EstuaryPublisher
from publishers.port import SmallResult, Workplace
from publishers.unixfs import result_cid
from tests.contracts.places.estuary import EstuaryPlace
from tests.servers.estuary import Account, estuary

RESULT = SmallResult(b"hello\n", b"", 0)
CID = result_cid(b"hello\n", b"", 0).cid
ADD_CAR = "POST /content/add-car"
SHUTTLE = "POST /shuttle/content/add-car"


@pytest.fixture
def place(tmp_path: Path) -> EstuaryPlace:
    return EstuaryPlace(tmp_path)


@pytest.fixture
def account(place: EstuaryPlace) -> Account:
    return place.account


@pytest.fixture
async def publisher(place: EstuaryPlace) -> AsyncIterator[EstuaryPublisher]:
    opened = EstuaryPublisher("", place.credential, place.workplace)
    yield opened
    await opened.close()


def uploads(account: Account) -> list[str]:
    """Return the uploads among the requests of an account."""
    return [request for request in account.requests if request.endswith("add-car")]


async def test_the_best_end_point_is_used(publisher: EstuaryPublisher, account: Account) -> None:
    """The CAR goes to the first of the end points that the service names."""
    location = await publisher.publish(RESULT, "job/0", cid=CID)
    assert uploads(account) == [SHUTTLE]
    assert location.uri == f"ipfs://{CID}"
    await publisher.verify(location)


async def test_the_next_end_point_is_used_when_one_fails(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """A shuttle that is down does not fail the publication while the service itself answers."""
    account.shuttle_down = True
    await publisher.publish(RESULT, "job/0", cid=CID)
    assert uploads(account) == [SHUTTLE, ADD_CAR]


async def test_without_end_points_the_service_itself_is_used(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """A node without shuttles takes the CAR itself."""
    account.end_points = []
    await publisher.publish(RESULT, "job/0", cid=CID)
    assert uploads(account) == [ADD_CAR]


async def test_content_that_is_there_is_not_uploaded_again(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """A repeat asks by CID first, since shuttles give duplicates new ids."""
    first = await publisher.publish(RESULT, "job/0", cid=CID)
    assert await publisher.publish(RESULT, "job/0", cid=CID) == first
    assert len(uploads(account)) == 1
    assert len(account.contents) == 1


async def test_content_already_preserved_is_a_success(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """A repeat before the content is active is told of the duplicate, and waits for the first."""
    account.end_points = []
    await publisher.publish(RESULT, "job/0", cid=CID)
    (held,) = account.contents
    held.polls = 3
    account.polls_by_cid = True
    await publisher.publish(RESULT, "job/0", cid=CID)
    assert account.contents == [held]
    assert uploads(account) == [ADD_CAR, ADD_CAR]


async def test_results_are_put_into_the_collection_of_the_target(
    place: EstuaryPlace, account: Account
) -> None:
    """The collection is found by its name, or made, and nobody asks for its root."""
    publisher = EstuaryPublisher("climate", place.credential, place.workplace)
    other = SmallResult(b"other\n", b"", 0)
    await publisher.publish(RESULT, "job/0", cid=CID)
    await publisher.publish(other, "job/1", cid=result_cid(b"other\n", b"", 0).cid)
    await publisher.close()
    (collection,) = account.collections.values()
    assert collection["row"]["name"] == "climate"
    assert collection["contents"] == {content.id for content in account.contents}
    assert not any("commit" in request for request in account.requests)


async def test_adding_that_is_switched_off_fails_the_check(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """A service that takes no content says so before any result is packed for it."""
    account.adding_disabled = True
    with pytest.raises(PublishError, match="takes no content"):
        await publisher.check()


async def test_another_root_is_no_success(publisher: EstuaryPublisher, account: Account) -> None:
    """When the service has stored something else, nothing is published."""
    account.wrong_root = True
    with pytest.raises(PublishError) as caught:
        await publisher.publish(RESULT, "job/0", cid=CID)
    assert (caught.value.code, caught.value.permanent) == ("wrong-root", True)


async def test_pinning_that_fails_is_no_success(
    publisher: EstuaryPublisher, account: Account
) -> None:
    """An upload that the service could not pin is an error that may be repeated."""
    account.pinning_fails = True
    with pytest.raises(PublishError, match="could not pin") as caught:
        await publisher.publish(RESULT, "job/0", cid=CID)
    assert not caught.value.permanent


@pytest.mark.parametrize("level", ["expired_key", "upload_key"])
async def test_keys_that_may_not_are_refused(
    place: EstuaryPlace, account: Account, level: str
) -> None:
    """An expired key and one for uploads alone are refused, and never shown."""
    key = getattr(account, level)
    publisher = EstuaryPublisher("", place.credential | {"token": key}, place.workplace)
    with pytest.raises(PublishError) as caught:
        await publisher.publish(RESULT, "job/0", cid=CID)
    await publisher.close()
    assert (caught.value.code, caught.value.permanent) == ("refused", True)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "end_point", ["ftp://127.0.0.1/content/add", "http://127.0.0.1/steal", "http:///content/add"]
)
async def test_a_strange_end_point_gets_no_token(
    publisher: EstuaryPublisher, account: Account, end_point: str
) -> None:
    """An end point that is none fails the check, and is not talked to."""
    account.end_points = [end_point]
    with pytest.raises(PublishError, match="end point"):
        await publisher.check()


async def test_the_service_is_its_own_gateway(place: EstuaryPlace) -> None:
    """Without a gateway in the credential, blocks are read from the service's."""
    credential = {field: place.credential[field] for field in ("token", "url")}
    publisher = EstuaryPublisher("", credential, place.workplace)
    location = await publisher.publish(RESULT, "job/0", cid=CID)
    await publisher.verify(location)
    await publisher.close()


@pytest.mark.parametrize(
    ("field", "value"),
    [("token", ""), ("url", "ftp://x"), ("url", "http://me:pw@x"), ("gateway", "nowhere")],
)
def test_a_credential_that_cannot_be_used_is_refused(
    place: EstuaryPlace, field: str, value: str
) -> None:
    """A missing key, or an address that is none or holds a password, is refused at once."""
    with pytest.raises(PublishError) as caught:
        EstuaryPublisher("", place.credential | {field: value}, place.workplace)
    assert (caught.value.code, caught.value.permanent) == ("credential", True)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("target", ["x" * 201, "a\nb", "a/b"])
def test_a_target_that_is_no_name_is_refused(target: str) -> None:
    """A collection's name is short and plain."""
    credential = {"token": estuary().account().user_key, "url": estuary().url}
    with pytest.raises(PublishError, match="cannot use"):
        EstuaryPublisher(target, credential, Workplace(Path("x")))
