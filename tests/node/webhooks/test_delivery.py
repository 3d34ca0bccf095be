"""Deliveries to a receiver that answers well, badly, late, never or with garbage."""

import json

import pytest

from node.webhooks.book import IN_FLIGHT_MAX, LATE_MAX, Pace
from tests.node.webhooks.small_world import SmallWorld, is_signed
from tests.servers.webhooks import HANG, Delivered, Receiver, reply


async def test_an_event_arrives_as_it_is_stored(world: SmallWorld, receiver: Receiver) -> None:
    """It is the stored document, byte for byte, with its id, the time and a signature."""
    name = world.append("j1", words="ünï")
    await world.add(receiver.url, credential="hooks")
    world.start()
    await receiver.until_taken(name)
    (it,) = receiver.delivered
    assert (it.method, it.path) == ("POST", "/hook")
    assert it.body == await world.stored(name)
    assert it.id == name
    assert it.headers["content-type"] == "application/cloudevents+json"
    assert is_signed(it)
    assert not is_signed(it, "another secret")


async def test_without_a_credential_nothing_is_signed(
    world: SmallWorld, receiver: Receiver
) -> None:
    """Whoever registered it so gets the same without a signature."""
    name = world.append("j1")
    await world.add(receiver.url)
    world.start()
    await receiver.until_taken(name)
    assert "webhook-signature" not in receiver.delivered[0].headers


async def test_only_what_was_asked_for_arrives(world: SmallWorld, receiver: Receiver) -> None:
    """Types and the place to begin select, those of nodes too; foreign messages are passed by."""
    world.append("j1")
    world.append("j2", "job.failed")
    world.log.append("lota.ev.00.forged.r.r1.job.completed", b"{}", id="forged")
    await world.add(receiver.url, "job.completed", "node.joined", position=2)
    world.start()
    wanted = [world.append("j3"), world.append("_", "node.joined"), world.append("j3")]
    world.append("j4", "job.planned")
    await receiver.until_taken(*wanted)
    assert sorted(it.id for it in receiver.delivered) == sorted(wanted)


async def test_the_position_follows_a_log_that_has_nothing(
    world: SmallWorld, receiver: Receiver
) -> None:
    """It moves to the end when all that was wanted is taken, and not before."""
    refused = world.append("j1", "job.failed")
    receiver.answer = lambda it: reply(200 if it.id != refused or mended else 500)
    mended = False
    name = await world.add(receiver.url, "job.failed")
    for _ in range(5):
        world.append("j2")
    world.start()
    listed = await world.until(name, lambda it: it.progress.position == 6)
    assert listed.progress.late == {"j1": 0}
    mended = True
    await world.until(name, lambda it: (it.progress.position, it.progress.late) == (6, {}))
    taken = world.append("j3", "job.failed")
    await receiver.until_taken(refused, taken)


async def test_a_type_of_a_later_version_is_passed_on(
    world: SmallWorld, receiver: Receiver
) -> None:
    """What this version does not know is the receiver's to understand."""
    name = world.append("j1", "job.moved", to="mars")
    await world.add(receiver.url)
    world.start()
    await receiver.until_taken(name)


async def test_many_jobs_each_in_order(world: SmallWorld, receiver: Receiver) -> None:
    """Hundreds of events of several jobs arrive, each job's in the order of the log, over few
    connections.
    """
    wanted: dict[str, list[str]] = {}
    for number in range(600):
        job = f"j{number % 7}"
        wanted.setdefault(job, []).append(world.append(job))
    name = await world.add(receiver.url)
    world.start()
    await receiver.until_taken(*(it for ids in wanted.values() for it in ids))
    assert receiver.first_taken() == wanted
    assert len(receiver.taken) == 600
    assert receiver.connections <= 8
    listed = await world.until(name, lambda it: it.progress.accepted == 600)
    assert (listed.progress.position, listed.progress.late) == (600, {})


FAILURES = {
    "a 500": (reply(500), "500 Internal Server Error"),
    "a 404": (reply(404), "404 Not Found"),
    "a redirect": (reply(307, Location="http://127.0.0.1:1/"), "redirects are not followed"),
    "garbage": (b"SSH-2.0-OpenSSH\r\n\r\n", "no HTTP"),
    "half an answer": (b"HTTP/1.", "no HTTP"),
    "silence": (HANG, "no answer within"),
    "a status of nobody": (reply(799), "799"),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_what_is_not_accepted_is_sent_again(
    world: SmallWorld, receiver: Receiver, failure: str
) -> None:
    """Whatever the failure, the same event comes again with the same id, later ones of the job wait
    for it, and the webhook tells what happened.
    """
    answer, said = FAILURES[failure]
    times, answer_s = (1, 2) if answer == HANG else (3, 20)
    receiver.answer = lambda it: answer if len(receiver.delivered) < times else reply(200)
    first, second = world.append("j1"), world.append("j1")
    name = await world.add(receiver.url, credential="hooks")
    world.start(answer_s=answer_s)
    await receiver.until_taken(first, second)
    assert [it.id for it in receiver.delivered] == [*[first] * times, first, second]
    assert all(map(is_signed, receiver.delivered))
    listed = await world.until(name, lambda it: it.progress.accepted == 2)
    assert listed.progress.failed == times
    assert listed.progress.failing_since_ms is None
    assert listed.progress.last_failure is not None
    assert said in listed.progress.last_failure.what
    assert (listed.progress.last_failure.event, listed.progress.last_failure.tries) == (
        first,
        times,
    )


async def test_an_answer_that_says_much_is_an_answer(world: SmallWorld, receiver: Receiver) -> None:
    """A status of success counts, whatever follows, and however much was promised."""
    receiver.answer = lambda it: (
        reply(202, b"x" * 300_000)
        if len(receiver.delivered) % 2
        else b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort"
    )
    names = [world.append("j1") for _ in range(3)]
    await world.add(receiver.url)
    world.start()
    await receiver.until_taken(*names)
    assert [it.id for it in receiver.delivered] == names


async def test_a_job_that_is_refused_holds_up_no_other(
    world: SmallWorld, receiver: Receiver
) -> None:
    """One job's events wait, also over a restart, and all others arrive."""

    def answer(it: Delivered) -> bytes:
        return reply(500 if it.job == "bad" and not mended else 200)

    mended = False
    receiver.answer = answer
    bad = [world.append("bad")]
    good = [world.append(f"j{number}") for number in range(700)]
    bad.append(world.append("bad"))
    name = await world.add(receiver.url)
    world.start()
    await receiver.until_taken(*good)
    listed = await world.until(name, lambda it: it.progress.position == 702)
    assert listed.progress.late == {"bad": 0}
    await world.stop()
    bad.append(world.append("bad"))
    good.append(world.append("j1"))
    mended = True
    world.start()
    await receiver.until_taken(*bad, good[-1])
    assert receiver.first_taken()["bad"] == bad
    assert len([it for it in receiver.taken if it.job != "bad"]) == 701


async def test_a_receiver_that_was_away_gets_all(world: SmallWorld, receiver: Receiver) -> None:
    """What was stored while nothing listened arrives in order when something does."""
    await receiver.close()
    name = await world.add(receiver.url)
    world.start()
    wanted: dict[str, list[str]] = {}
    for number in range(200):
        wanted.setdefault(f"j{number % 3}", []).append(world.append(f"j{number % 3}"))
    listed = await world.until(name, lambda it: it.progress.failed >= 6)
    assert listed.progress.last_failure is not None
    assert "no connection" in listed.progress.last_failure.what
    await receiver.open()
    await receiver.until_taken(*(it for ids in wanted.values() for it in ids))
    assert receiver.first_taken() == wanted


async def test_more_jobs_than_may_be_late_all_arrive(world: SmallWorld, receiver: Receiver) -> None:
    """When a receiver was down for so many that no more was read, it gets them and the rest."""
    name = await world.add(receiver.url)
    names = [world.append(f"j{number}") for number in range(1_200)]
    receiver.answer = lambda it: reply(500)
    world.start()
    listed = await world.until(name, lambda it: len(it.progress.late) >= LATE_MAX)
    assert len(listed.progress.late) <= LATE_MAX + IN_FLIGHT_MAX
    receiver.answer = lambda it: reply(200)
    await receiver.until_taken(*names)
    await world.until(name, lambda it: (it.progress.position, it.progress.late) == (1_200, {}))


async def test_a_receiver_may_ask_for_rest(world: SmallWorld, receiver: Receiver) -> None:
    """After a Retry-After nothing comes of any job, and the next try is told."""
    receiver.answer = lambda it: reply(503, Retry_After="3600")
    name = await world.add(receiver.url)
    world.append("j1")
    world.start()
    listed = await world.until(name, lambda it: it.progress.failed == 1)
    failure = listed.progress.last_failure
    assert failure is not None
    assert failure.next_ms - failure.time_ms == 3_600_000
    world.append("j2")
    await world.until(name, lambda it: it.progress.position == 1)
    assert len(receiver.delivered) == 1


async def test_a_receiver_that_is_gone_hears_no_more(world: SmallWorld, receiver: Receiver) -> None:
    """410 disables the webhook and says so; nothing is lost when a person resumes it."""
    receiver.answer = lambda it: reply(410)
    name = await world.add(receiver.url)
    names = [world.append("j1"), world.append("j2")]
    world.start()
    listed = await world.until(name, lambda it: bool(it.webhook and it.webhook.reason))
    assert listed.webhook is not None
    assert (listed.webhook.state, listed.webhook.reason) == (
        "disabled",
        "the receiver says 410 Gone",
    )
    receiver.answer = lambda it: reply(200)
    await world.registry.move(name, None)
    await world.registry.switch(name, "active")
    await receiver.until_taken(*names)


async def test_who_accepts_nothing_for_long_is_disabled(
    world: SmallWorld, receiver: Receiver
) -> None:
    """The reason holds the last failure, and the position stays."""
    receiver.answer = lambda it: reply(500)
    name = await world.add(receiver.url)
    world.append("j1")
    world.start(pace=Pace(first_ms=10, longest_ms=20, give_up_ms=100))
    listed = await world.until(name, lambda it: bool(it.webhook and it.webhook.reason))
    assert listed.webhook is not None
    assert "500 Internal Server Error" in listed.webhook.reason
    await world.stop()
    listed = await world.registry.find(name)
    assert listed.progress.late == {"j1": 0}


async def test_what_stands_in_an_answer_is_for_nobody(
    world: SmallWorld, receiver: Receiver
) -> None:
    """A host that only the requester reaches is not read through it: only the status is kept."""
    canary = "what-only-the-inside-knows"
    receiver.answer = lambda it: (
        f"HTTP/1.1 500 {canary}\r\nX-Said: {canary}\r\nSet-Cookie: a={canary}\r\n"
        f"Content-Length: {len(canary)}\r\n\r\n{canary}"
    ).encode()
    name = await world.add(receiver.url)
    world.append("j1")
    world.start()
    await world.until(name, lambda it: it.progress.failed >= 2)
    assert canary not in json.dumps([repr(value) for value in await world.values.all()])
    assert all(canary not in repr(it.headers) for it in receiver.delivered)
