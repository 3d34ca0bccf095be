"""One try to deliver: whose certificate is trusted, and what an answer asks for."""

import ssl
from collections.abc import AsyncIterator
from email.utils import formatdate
from pathlib import Path

import pytest

from events.clock import now_ms
from node.webhooks.sending import Sender
from tests.servers.webhooks import Receiver, reply

SELF_SIGNED = Path(__file__).parents[2] / "servers" / "self_signed.pem"


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    sender = Sender("test", answer_s=20)
    yield sender
    await sender.close()


async def test_a_certificate_that_nobody_vouches_for_gets_nothing(sender: Sender) -> None:
    """Nothing of an event is sent to whoever only says that it is the host."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(SELF_SIGNED)
    async with Receiver(tls) as receiver:
        outcome = await sender.send(receiver.url, b"{}", {})
    assert not outcome.accepted
    assert "CERTIFICATE_VERIFY_FAILED" in outcome.what
    assert receiver.delivered == []


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("", 0),
        ("-5", 0),
        ("soon", 0),
        ("9" * 400, 0),
        ("Wed, 99 Foo 2026 99:99:99 GMT", 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
    ],
)
async def test_what_retry_after_says(
    sender: Sender, receiver: Receiver, said: str, seconds: int
) -> None:
    """Seconds and dates to come are heeded, and anything else is as good as nothing."""
    receiver.answer = lambda it: reply(503, Retry_After=said)
    outcome = await sender.send(receiver.url, b"{}", {})
    assert (outcome.accepted, outcome.hold_ms) == (False, seconds * 1_000)


async def test_retry_after_a_date(sender: Sender, receiver: Receiver) -> None:
    """The rest lasts until then."""
    until = now_ms() // 1_000 + 600
    receiver.answer = lambda it: reply(429, Retry_After=formatdate(until, usegmt=True))
    outcome = await sender.send(receiver.url, b"{}", {})
    assert 0 < outcome.hold_ms <= 600_000


async def test_connections_are_used_again(sender: Sender, receiver: Receiver) -> None:
    """One after the other over one connection, and no cookie is brought back."""
    receiver.answer = lambda it: reply(200, b"thanks", Set_Cookie="a=b")
    for _ in range(5):
        assert (await sender.send(receiver.url, b"{}", {})).accepted
    assert receiver.connections == 1
    assert all("cookie" not in it.headers for it in receiver.delivered)
