"""Keys and values in a NATS key-value bucket, which any NATS client can read as such.

Source of the contract: ADR-8 of the NATS architecture decisions. The bucket is the stream
`KV_<name>`, a key the subject `$KV.<name>.<key>`, of which the last message is kept; a message that
says so in a header, and has no body, deletes.
"""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from events.errors import AppendTimeout, LogError, LogUnavailable, WrongExpectedPosition
from events.heeding import heeding
from events.jetstream.api import (
    REQUEST_TIMEOUT_S,
    UNAVAILABLE,
    ApiError,
    Refused,
    denies,
    last_message,
    not_admitted,
)
from events.jetstream.appender import CONFLICTS, EXPECTED_POSITION
from events.jetstream.bucket_stream import ensure_bucket, replicas_of_log
from events.jetstream.reader import Reader
from events.key_values import VALUE_BYTES_MAX, Value, changed
from events.log import Record

DELETED = {"KV-Operation": "DEL"}


class _PubAck(msgspec.Struct):
    seq: int = 0
    error: ApiError | None = None


class JetStreamKeyValues:
    """One bucket over one connection, which stays the caller's; see `events.key_values`."""

    def __init__(self, client: Client, bucket: str) -> None:
        self._client = client
        self._stream = f"KV_{bucket}"
        self._prefix = f"$KV.{bucket}."
        self._reader = Reader(client, self._stream)

    async def ensure(self) -> None:
        """It has as many replicas as the log."""
        await ensure_bucket(self._client, self._stream, self._wanted)

    async def get(self, key: str) -> Value:
        found = await last_message(self._client, self._stream, self._prefix + key)
        if found is None:
            return Value(key, None, 0)
        return Value(key, b64decode(found.data) or None, found.seq)

    async def put(self, key: str, data: bytes, *, expect: int) -> int:
        if not 0 < len(data) <= VALUE_BYTES_MAX:
            raise LogError(
                f"the value of {key} has {len(data)} bytes", hint=f"1 to {VALUE_BYTES_MAX} fit"
            )
        return await self._publish(key, data, {EXPECTED_POSITION: str(expect)}, expect)

    async def delete(self, key: str) -> int:
        return await self._publish(key, b"", DELETED, 0)

    async def all(self) -> list[Value]:
        end = await self._reader.last(f"{self._prefix}>")
        found: dict[str, Value] = {}
        if end:
            # To the end and what came meanwhile: a value that was replaced is not there any more.
            async for batch in self.follow():
                found.update((value.key, value) for value in batch)
                if batch[-1].revision >= end:
                    break
        return [value for _, value in sorted(found.items()) if value.data is not None]

    async def follow(self) -> AsyncIterator[list[Value]]:
        async for records in self._reader.follow([f"{self._prefix}>"], 0):
            yield [self._value(record) for record in records]

    async def close(self) -> None:
        self._reader.close()

    def _value(self, record: Record) -> Value:
        return Value(record.subject[len(self._prefix) :], record.body or None, record.position)

    async def _publish(self, key: str, data: bytes, headers: dict[str, str], expect: int) -> int:
        subject = self._prefix + key
        try:
            reply = await heeding(
                self._client.request(
                    subject, data, timeout=REQUEST_TIMEOUT_S, headers=dict(headers)
                )
            )
        except NoRespondersError as error:
            raise LogUnavailable(
                f"no bucket takes {subject}", hint="is JetStream on, and the bucket there?"
            ) from error
        except (NatsError, OSError) as error:
            if denies(self._client.last_error, subject):
                raise not_admitted(subject) from error
            raise AppendTimeout(
                f"no answer to the change of {key} ({str(error) or type(error).__name__})",
                hint="it may or may not be stored: read it again",
            ) from error
        answer = msgspec.json.decode(reply.data, type=_PubAck)
        if answer.error is None:
            return answer.seq
        if answer.error.err_code in CONFLICTS:
            raise WrongExpectedPosition(changed(key, expect), hint="read it again, and decide anew")
        if answer.error.code == UNAVAILABLE:
            raise LogUnavailable(f"{key} was not stored: {answer.error.description}")
        raise Refused(f"the change of {key}", answer.error)

    async def _wanted(self) -> dict[str, Any]:
        return {
            "name": self._stream,
            "subjects": [f"{self._prefix}>"],
            "storage": "file",
            "retention": "limits",
            "discard": "new",
            "max_msgs_per_subject": 1,
            "max_msg_size": 2 * VALUE_BYTES_MAX,  # headers count as well
            "max_age": 0,
            "max_bytes": -1,
            "allow_direct": True,
            "allow_rollup_hdrs": True,
            "deny_delete": True,
            "num_replicas": await replicas_of_log(self._client),
        }


async def open_key_values(client: Client, bucket: str) -> JetStreamKeyValues:
    """Attach to a bucket over `client`, and create it if nobody has yet.

    Raises `LogUnavailable` when the server has no JetStream or does not let us.
    """
    values = JetStreamKeyValues(client, bucket)
    await values.ensure()
    return values
