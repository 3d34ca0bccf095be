"""Many messages sent as one block of the client protocol.

nats-py checks, copies and schedules each message by itself, which takes longer than the server
needs to store it. Here messages are encoded by hand and handed over together. Source of the
contract: the NATS client protocol, `HPUB`.
"""

from collections.abc import Mapping

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from events.errors import LogError, LogUnavailable

HEADERS_BYTES_MAX = 1024
"""More than the headers of a message of ours take; the server's limit counts them too."""


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One message to store. Subject and headers hold nothing that could end them."""

    subject: str
    body: bytes
    headers: Mapping[str, str]


def encode(message: Outgoing, reply: str) -> bytes:
    """Return the bytes that publish a message."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in message.headers.items()])
    headers = f"NATS/1.0\r\n{lines}\r\n".encode()
    body = message.body
    sizes = f"{len(headers)} {len(headers) + len(body)}"
    return b"HPUB %b %b %b\r\n%b%b\r\n" % (
        message.subject.encode(),
        reply.encode(),
        sizes.encode(),
        headers,
        body,
    )


def refuse_large(client: Client, message: Outgoing) -> None:
    """Raise LogError for what the server would end the connection for."""
    if len(message.body) + HEADERS_BYTES_MAX > client.max_payload:
        raise LogError(
            f"a message of {len(message.body):,} bytes is too large for this server",
            hint="raise max_payload in the server's configuration",
        )


async def send_block(client: Client, block: bytes) -> None:
    """Send encoded messages, waiting while too much waits for the socket already.

    Raises LogUnavailable without a connection: what would be kept for the next one could come
    twice.
    """
    if not client.is_connected:
        raise lost("the connection was lost")
    try:
        # There is no public way to send what is encoded already.
        await client._send_command(block)  # noqa: SLF001
        await client._flush_pending()  # noqa: SLF001
    except (NatsError, OSError) as error:
        raise lost(str(error) or type(error).__name__) from error


def lost(what: str) -> LogUnavailable:
    """The error for messages whose answers do not come."""
    return LogUnavailable(f"messages were not stored: {what}", hint="is the server up?")
