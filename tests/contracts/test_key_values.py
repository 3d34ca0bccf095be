"""What every bucket of keys and values promises, held against each implementation."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client

from events.connection import connect
from events.errors import LogError, WrongExpectedPosition
from events.jetstream import open_key_values
from events.key_values import VALUE_BYTES_MAX, KeyValues, Value
from events.memory import MemoryKeyValues


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    client = await connect(nats_url, name="contract")
    yield client
    await client.close()


@pytest.fixture(params=["memory", "jetstream"])
async def values(request: pytest.FixtureRequest, client: Client) -> AsyncIterator[KeyValues]:
    """Return an empty bucket of each implementation in turn."""
    if request.param == "memory":
        bucket: KeyValues = MemoryKeyValues()
    else:
        bucket = await open_key_values(client, uuid.uuid4().hex)
    yield bucket
    await bucket.close()


async def changes(following: AsyncIterator[list[Value]], last: int) -> dict[str, bytes | None]:
    """Take what comes up to a revision and return the last of each key."""
    found: dict[str, bytes | None] = {}
    async for batch in following:
        found.update((value.key, value.data) for value in batch)
        if batch[-1].revision >= last:
            return found
    raise AssertionError("it ended")


async def test_a_value_is_found_by_its_key(values: KeyValues) -> None:
    """What was put is under its key, with the revision that the put returned."""
    revision = await values.put("webhook.a", b"one", expect=0)
    assert await values.get("webhook.a") == Value("webhook.a", b"one", revision)
    assert await values.get("webhook.b") == Value("webhook.b", None, 0)


async def test_who_read_an_older_value_changes_nothing(values: KeyValues) -> None:
    """Of two that read the same revision one puts, and the other is refused."""
    read = await values.put("a", b"1", expect=0)
    await values.put("a", b"2", expect=read)
    for expect in (0, read, read + 2):
        with pytest.raises(WrongExpectedPosition, match="has changed since"):
            await values.put("a", b"3", expect=expect)
    assert (await values.get("a")).data == b"2"


async def test_other_keys_do_not_matter(values: KeyValues) -> None:
    """A put under one key leaves what was read of another."""
    one = await values.put("a", b"1", expect=0)
    two = await values.put("b", b"1", expect=0)
    assert two > one
    assert await values.put("a", b"2", expect=one) > two


async def test_a_deleted_key_is_empty_and_remembers_that_it_changed(values: KeyValues) -> None:
    """Who knew the value cannot put it back, and who has seen that it is gone can put another."""
    before = await values.put("a", b"1", expect=0)
    gone = await values.delete("a")
    assert await values.get("a") == Value("a", None, gone)
    assert await values.all() == []
    for expect in (0, before):
        with pytest.raises(WrongExpectedPosition):
            await values.put("a", b"2", expect=expect)
    await values.put("a", b"3", expect=gone)
    assert [value.data for value in await values.all()] == [b"3"]


async def test_all_is_what_has_a_value_now(values: KeyValues) -> None:
    """Only the last value of each key is there, in the order of keys."""
    for key in ("c", "a", "b"):
        first = await values.put(key, b"old", expect=0)
        await values.put(key, b"new " + key.encode(), expect=first)
    await values.delete("b")
    assert [value.data for value in await values.all()] == [b"new a", b"new c"]


async def test_who_follows_sees_what_is_there_and_what_comes(values: KeyValues) -> None:
    """Values, changes and deletions come in order, without a gap between old and new."""
    await values.put("a", b"1", expect=0)
    second = await values.put("b", b"1", expect=0)
    following = values.follow()
    assert await changes(following, second) == {"a": b"1", "b": b"1"}
    waiting = asyncio.ensure_future(changes(following, second + 2))
    await values.put("b", b"2", expect=second)
    await values.delete("a")
    assert await waiting == {"a": None, "b": b"2"}
    await following.aclose()  # type: ignore[attr-defined]


async def test_one_of_many_at_once_wins(values: KeyValues) -> None:
    """However many put under one revision at the same time, one succeeds."""
    answers = await asyncio.gather(
        *(values.put("a", b"%d" % number, expect=0) for number in range(20)), return_exceptions=True
    )
    won = [number for number, answer in enumerate(answers) if isinstance(answer, int)]
    assert len(won) == 1
    assert (await values.get("a")).data == b"%d" % won[0]


@pytest.mark.parametrize("size", [0, VALUE_BYTES_MAX + 1])
async def test_a_value_has_a_size(values: KeyValues, size: int) -> None:
    """Nothing and too much are refused; the largest value is kept."""
    with pytest.raises(LogError, match=f"{size} bytes"):
        await values.put("a", bytes(size), expect=0)
    await values.put("a", b"x" * VALUE_BYTES_MAX, expect=0)


async def test_other_clients_read_the_bucket(client: Client) -> None:
    """The bucket is what NATS clients call a key-value bucket."""
    bucket = uuid.uuid4().hex
    values = await open_key_values(client, bucket)
    await values.put("a", b"1", expect=0)
    await values.put("b", b"2", expect=0)
    await values.delete("b")
    other = await client.jetstream().key_value(bucket)
    assert (await other.get("a")).value == b"1"
    assert await other.keys() == ["a"]
    await other.put("a", b"theirs")
    assert (await values.get("a")).data == b"theirs"
