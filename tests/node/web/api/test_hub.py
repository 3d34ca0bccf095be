"""What is held for those who follow, and who has lost its place in it."""

import asyncio
from typing import NamedTuple

import pytest

from node.web.api.hub import BYTES_MAX, CHUNK_BYTES_MAX, Hub


class Word(NamedTuple):
    """An item of some length."""

    position: int
    text: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.text)


class Even:
    """A choice."""

    def __contains__(self, item: object) -> bool:
        assert isinstance(item, Word)
        return item.position % 2 == 0


def words(start: int, stop: int, size: int = 1) -> list[Word]:
    return [Word(position, b"%d" % (position % 10) * size) for position in range(start, stop)]


def begun(**limits: int) -> Hub:
    hub = Hub(**limits)
    hub.begin(10)
    return hub


def test_a_client_is_given_what_is_behind_its_place() -> None:
    """Each place gets the rest, once, and then nothing until more comes."""
    hub = begun()
    hub.add(words(11, 14), 14)
    assert hub.chunk(10) == (b"123", 14)
    assert hub.chunk(12) == (b"3", 14)
    assert hub.chunk(14) == (b"", 14)
    hub.add(words(15, 16), 15)
    assert hub.chunk(14) == (b"5", 15)


def test_a_choice_passes_over_what_it_does_not_hold() -> None:
    """The place moves on also where nothing was chosen."""
    hub = begun()
    hub.add(words(11, 14), 13)
    even = Even()
    assert hub.chunk(10, even) == (b"2", 13)
    assert hub.chunk(12, even) == (b"", 13)


def test_what_is_sent_at_one_time_is_bounded() -> None:
    """Long items come in several chunks, and nothing between them is left out."""
    hub = begun()
    hub.add(words(11, 16, CHUNK_BYTES_MAX // 2), 15)
    place, texts = 10, []
    while True:
        data, place = hub.chunk(place)
        if not data:
            break
        texts.append(data)
    assert max(map(len, texts)) <= CHUNK_BYTES_MAX
    assert b"".join(texts) == b"".join(word.text for word in words(11, 16, CHUNK_BYTES_MAX // 2))


def test_an_item_longer_than_a_chunk_is_sent_alone() -> None:
    """No item is too long to be sent."""
    hub = begun()
    hub.add(words(11, 14, 2 * CHUNK_BYTES_MAX), 13)
    data, place = hub.chunk(10)
    assert (len(data), place) == (2 * CHUNK_BYTES_MAX, 11)


@pytest.mark.parametrize(("size", "limits"), [(1, {"items_max": 100}), (100_000, {})])
def test_what_is_held_is_bounded(size: int, limits: dict[str, int]) -> None:
    """The oldest items go when there are too many or too long ones, and the floor says so."""
    hub = begun(**limits)
    for position in range(11, 1_011):
        hub.add(words(position, position + 1, size), position)
        assert hub.floor < position
    held = 0
    place = hub.floor
    while (chunk := hub.chunk(place)).data:
        held += len(chunk.data)
        place = chunk.place
    assert place == hub.last
    assert held == (hub.last - hub.floor) * size
    assert held <= BYTES_MAX
    assert hub.last - hub.floor <= limits.get("items_max", BYTES_MAX // size)


async def test_who_stands_elsewhere_when_it_begins_anew_has_lost_its_place() -> None:
    """A log that is replaced leaves clients of the one before no place to go on from."""
    hub = begun()
    beyond, behind = hub.join(20), hub.join(3)
    hub.begin(5)
    assert beyond.gone
    assert behind.place < hub.floor


async def test_clients_are_counted() -> None:
    """How many follow, and how far behind they are, is known; only so many may come."""
    hub = begun(clients_max=2)
    one, other = hub.join(10), hub.join(11)
    hub.add(words(11, 14), 13)
    assert (hub.clients, hub.queued, hub.full) == (2, 3 + 2, True)
    hub.part(one)
    hub.part(one)
    hub.part(other)
    assert (hub.clients, hub.queued, hub.full) == (0, 0, False)


async def test_what_comes_at_once_is_told_at_one_time() -> None:
    """The first item is told within the shortest time, and what follows it together with others."""
    hub = begun()
    client = hub.join(10)
    loop = asyncio.get_running_loop()
    told = 0
    for position in range(11, 1_011):
        hub.add(words(position, position + 1), position)
        if client.wake.is_set():
            client.wake.clear()
            told += 1
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
    await client.wake.wait()
    assert told < 500
    assert hub.chunk(10).place == 1_010
