"""Who delivers: takeovers, two at a time, and what is registered, paused, removed or unusable."""

import asyncio

import msgspec
import pytest

from events.errors import NotFound, WrongExpectedPosition, WrongUsage
from events.ids import new_id
from node.webhooks.registration import Ping, Pong, Progress
from node.webhooks.service import PING_TYPE
from tests.node.webhooks.small_world import SmallWorld, is_signed
from tests.servers.webhooks import HANG, Receiver, reply


async def test_another_takes_over_where_it_stands(world: SmallWorld, receiver: Receiver) -> None:
    """When the requester that delivered is gone the other goes on, without a gap."""
    name = await world.add(receiver.url)
    first = [world.append("j1") for _ in range(20)]
    world.start("r1")
    world.start("r2")
    await world.until(name, lambda it: it.progress.accepted == 20)
    await world.stop("r1")
    second = [world.append("j1") for _ in range(20)]
    world.requesters = ("r2",)
    await receiver.until_taken(*second)
    assert receiver.first_taken() == {"j1": first + second}
    assert len(receiver.taken) == 40


async def test_two_that_both_deliver_leave_nothing_out(
    world: SmallWorld, receiver: Receiver
) -> None:
    """Each thinks that it is the only one: they end each other's turns, events come twice, in the
    order of the log for whoever counts them once.
    """
    name = await world.add(receiver.url)
    wanted = [world.append("j1") for _ in range(50)]
    world.start("r1", thinks=lambda: ("r1",))
    world.start("r2", thinks=lambda: ("r2",))
    for _ in range(3):
        await receiver.until_taken(*wanted)
        wanted += [world.append("j1") for _ in range(50)]
    await receiver.until_taken(*wanted)
    assert receiver.first_taken() == {"j1": wanted}
    await world.stop("r1")
    await world.until(name, lambda it: it.progress.position == 200)


async def test_who_wrote_last_is_known_by_the_standing(
    world: SmallWorld, receiver: Receiver
) -> None:
    """A position that was read before another was written cannot be saved."""
    name = await world.add(receiver.url)
    progress, revision = await world.registry.progress(name)
    await world.registry.save(name, msgspec.structs.replace(progress, node="r2"), revision)
    with pytest.raises(WrongExpectedPosition):
        await world.registry.save(name, Progress(position=9), revision)


async def test_a_webhook_is_removed_in_the_midst(world: SmallWorld, receiver: Receiver) -> None:
    """While a receiver hangs its webhook goes, with all that was known of it, and nothing of it
    comes back; what is registered anew begins anew.
    """
    receiver.answer = lambda it: HANG
    name = await world.add(receiver.url)
    world.append("j1")
    world.start()
    await receiver.until(lambda: len(receiver.delivered) == 1)
    await world.registry.remove(name)
    receiver.answer = lambda it: reply(200)
    again = await world.add(receiver.url, position=1)
    assert again == name
    fresh = world.append("j1")
    await receiver.until_taken(fresh)
    assert [it.id for it in receiver.taken] == [fresh]
    await world.registry.remove(name)
    await world.stop()
    assert await world.values.all() == []


async def test_a_pause_loses_nothing(world: SmallWorld, receiver: Receiver) -> None:
    """What is stored meanwhile arrives when it is resumed, or is left out when a person says so."""
    name = await world.add(receiver.url)
    world.start()
    names = [world.append("j1")]
    await receiver.until_taken(*names)
    await world.until(name, lambda it: it.progress.position == 1)
    await world.registry.switch(name, "paused")
    names += [world.append("j1"), world.append("j2")]
    await world.registry.switch(name, "active")
    await receiver.until_taken(*names)
    await world.until(name, lambda it: it.progress.position == 3)
    await world.registry.switch(name, "paused")
    world.append("j1")
    await world.registry.move(name, 4)
    await world.registry.switch(name, "active")
    names.append(world.append("j1"))
    await receiver.until_taken(names[-1])
    assert [it.id for it in receiver.taken if it.job == "j1"] == [names[0], names[1], names[3]]


async def test_what_was_dropped_from_the_log_is_told(world: SmallWorld, receiver: Receiver) -> None:
    """A webhook that stood before what the log still has is disabled, until a person goes on."""
    name = await world.add(receiver.url)
    names = [world.append("j1") for _ in range(4)]
    world.first_position = 3
    world.start()
    listed = await world.until(name, lambda it: bool(it.webhook and it.webhook.reason))
    assert listed.webhook is not None
    assert "positions 1 to 2 were dropped" in listed.webhook.reason
    assert receiver.delivered == []
    await world.registry.move(name, 2)
    await world.registry.switch(name, "active")
    await receiver.until_taken(*names[2:])
    assert [it.id for it in receiver.taken] == names[2:]


async def test_a_log_that_has_lost_its_end_is_told(world: SmallWorld, receiver: Receiver) -> None:
    """What comes to stand where deliveries had been is not left out in silence."""
    name = await world.add(receiver.url)
    world.append("j1")
    await world.registry.move(name, 7)
    world.start()
    listed = await world.until(name, lambda it: bool(it.webhook and it.webhook.reason))
    assert listed.webhook is not None
    assert "ends at position 1, and deliveries had come to 7" in listed.webhook.reason
    await world.registry.move(name, 1)
    await world.registry.switch(name, "active")
    await receiver.until_taken(world.append("j1"))


async def test_a_host_that_is_not_allowed_gets_nothing(
    world: SmallWorld, receiver: Receiver
) -> None:
    """The webhook waits and says whose operator would have to allow it."""
    name = await world.add(receiver.url)
    world.append("j1")
    world.start(hosts=("hooks.example.org",))
    listed = await world.until(name, lambda it: bool(it.progress.problem))
    assert "r1 is not allowed" in listed.progress.problem
    assert "--allow-webhook" in listed.progress.problem
    await world.stop()
    assert receiver.connections == 0


@pytest.mark.parametrize(
    ("secrets", "said"),
    [
        ({}, "r1: this node has no credential 'hooks'"),
        ({"hooks": "too-short-a-secret"}, "at least 24 are needed"),
    ],
)
async def test_a_secret_that_is_missing_is_waited_for(
    world: SmallWorld, receiver: Receiver, secrets: dict[str, str], said: str
) -> None:
    """Nothing is sent unsigned instead; the problem names the node and the credential, and goes
    when there is one.
    """
    name = await world.add(receiver.url, credential="hooks")
    event = world.append("j1")
    world.start(secrets=secrets)
    listed = await world.until(name, lambda it: bool(it.progress.problem))
    assert said in listed.progress.problem
    assert "too-short" not in listed.progress.problem
    await world.stop()
    assert receiver.connections == 0
    world.start()
    await receiver.until_taken(event)
    assert is_signed(receiver.taken[0])
    listed = await world.until(name, lambda it: not it.progress.problem)


async def test_what_others_wrote_into_the_bucket_ends_nothing(
    world: SmallWorld, receiver: Receiver
) -> None:
    """Junk is passed by, listed as such, and can be removed; a position that cannot be read makes
    its own webhook wait.
    """
    await world.values.put("webhook.junk", b"{", expect=0)
    await world.values.put("webhook.other", b'{"id":"x","url":"http://a","created_ms":1}', expect=0)
    await world.values.put("webhook.deep", b'{"x":' + b"[" * 60_000, expect=0)
    await world.values.put("what", b"?", expect=0)
    await world.values.put("ping.junk", b"[]", expect=0)
    spoilt = await world.add(receiver.url, "job.failed")
    progress = await world.values.get(f"progress.{spoilt}")
    await world.values.put(progress.key, b"0", expect=progress.revision)
    await world.add(receiver.url)
    world.start()
    event = world.append("j1")
    await receiver.until_taken(event)
    listed = {it.id: it for it in await world.registry.all()}
    assert {"junk", "deep", "other", spoilt} < set(listed)
    assert "cannot be read" in listed["junk"].problem
    assert "cannot be read" in listed[spoilt].progress.problem
    await world.registry.remove("junk")
    with pytest.raises(NotFound):
        await world.registry.find("junk")


async def test_the_same_is_registered_once(world: SmallWorld, receiver: Receiver) -> None:
    """Of many that ask for the same at one time, one registers it."""
    answers = await asyncio.gather(
        *(world.add(receiver.url, "job.failed") for _ in range(5)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, WrongUsage)]
    assert len(refused) == 4
    assert all("asks for the same already" in str(answer) for answer in refused)
    await world.add(receiver.url, "job.completed")
    assert len(await world.registry.all()) == 2


async def test_a_test_is_delivered_and_answered(world: SmallWorld, receiver: Receiver) -> None:
    """It is a signed document of a type of its own, also while the webhook is paused, and what the
    receiver said is told.
    """
    name = await world.add(receiver.url, credential="hooks")
    await world.registry.switch(name, "paused")
    world.start()
    for status in (200, 500):
        receiver.answer = lambda it: reply(status)  # noqa: B023 - it is called within the round
        wish = Ping(new_id(), 10**15)
        found = await answered(world, name, wish)
        assert (found.node, found.accepted) == ("r1", status == 200)
        assert str(status) in found.what
        it = receiver.delivered[-1]
        assert is_signed(it)
        assert (it.id, it.event["type"]) == (wish.id, PING_TYPE)
        assert it.event["data"] == {"webhook": name}
    assert len(receiver.delivered) == 2


async def test_a_test_that_is_not_allowed_says_who_can_allow_it(
    world: SmallWorld, receiver: Receiver
) -> None:
    """It is said in the words that the webhook waits with."""
    name = await world.add(receiver.url)
    world.start(hosts=("hooks.example.org",))
    found = await answered(world, name, Ping(new_id(), 10**15))
    assert not found.accepted
    assert found.what == (
        "r1 is not allowed to deliver to this host (its operator allows it by --allow-webhook HOST)"
    )
    await world.stop()
    assert receiver.connections == 0


async def answered(world: SmallWorld, name: str, wish: Ping) -> Pong:
    """Ask for a test, and return what a requester says came of it."""
    await world.registry.ping(name, wish)
    async for _ in world.values.follow():
        value = await world.values.get(f"pong.{name}")
        found = msgspec.json.decode(value.data, type=Pong) if value.data else None
        if found and found.id == wish.id:
            return found
    raise AssertionError("the bucket has ended")
