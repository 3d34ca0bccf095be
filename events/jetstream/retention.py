"""Letting the server drop the first messages of the log: exactly so many, whoever dies when.

A log's stream denies to delete and to purge. What is left is an update of its configuration: with a
limit on the number of messages and `discard: old` the server drops the first ones. That counts from
the end, which moves while others append, and it would go on dropping if it were left so. Therefore
the stream is *parked* meanwhile: its subjects are changed to one that nobody writes to. In steps:

1. Park: other subjects, and a limit that is reached. Nothing is stored any more.
2. A message to the new subject is refused. It queued behind whatever was under way before.
3. Only now is the end known: count what is to stay, and set that limit with `discard: old`, in one
   update with the metadata that name the base. The stream is parked still.
4. Put the configuration back.

One process does so at a time (`Turn`), and sees before the third step that it is the one still.

Appends find no stream for the while, some milliseconds, and are repeated. Who dies in between
leaves a parked stream: it loses nothing, takes nothing, and says in its metadata what it waits for.
Putting the configuration back is right at each of the steps, and is all that `recover` does.

On a replicated stream there is no limit in the first step, and no second: the replicas take what
was appended each in its own time, and must not differ in what they refuse. They are waited for
until all have the same, and `SLACK` messages more are kept: the base may overlap with what follows
it. What is on its way between servers when the subjects change finds no answer instead of a no.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from events.archive.lines import BaseRef
from events.errors import LogError, LogUnavailable, LotaError, ReadOnlyLog
from events.heeding import heeding
from events.jetstream.api import (
    REQUEST_TIMEOUT_S,
    STREAM_NOT_FOUND,
    ApiError,
    Refused,
    call,
    denies,
    not_admitted,
)
from events.jetstream.base import BASE, base_of, encode_base_ref
from events.jetstream.object_format import stream_of
from events.jetstream.object_store import BUCKET
from events.jetstream.stream import ARCHIVING, FIXED, STREAM
from events.jetstream.turn import Turn, under_way
from events.jetstream.twin import TWIN
from events.times import parse_ms

STEP_MESSAGES = 200_000
"""What is dropped while the stream is parked once: it takes some 0.2 s."""
SLACK = 1_000
"""What is kept beyond what was asked for on a replicated stream."""

PROMISED_S = 10.0
"""How long after parking a drop may still be sent."""
DROP_TIMEOUT_S = 30.0
ABANDONED_MS = 120_000
"""A stream that was parked so long ago is nobody's any more: longer than the two above."""

SETTLED_TRIES = 50
SETTLED_S = 0.2
RESTORE_TRIES = 10
RESTORE_S = 0.5
TOO_MANY = 10077
PARKED = "lota.ev.archiving"

log = logging.getLogger(__name__)


class _State(msgspec.Struct):
    messages: int
    bytes: int
    first_seq: int
    last_seq: int
    first_ts: str = ""
    last_ts: str = ""
    num_subjects: int = 0


class _Replica(msgspec.Struct):
    current: bool = False
    lag: int = 0


class _Cluster(msgspec.Struct):
    replicas: list[_Replica] = []


class _Info(msgspec.Struct):
    config: dict[str, Any]
    state: _State
    cluster: _Cluster = msgspec.field(default_factory=_Cluster)
    ts: str = ""


class _Refusal(msgspec.Struct):
    error: ApiError | None = None


class LogState(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of the log; `first` is behind the base, times are RFC 3339."""

    first: int
    last: int
    messages: int
    bytes: int
    subjects: int
    first_time: str
    last_time: str
    replicas: int
    base: BaseRef | None


class Retention:
    """The beginning of one server's log, and the right to let it go.

    All methods raise LogUnavailable, NotAdmitted when the server does not let us change the stream,
    and LogError for what else it refuses.
    """

    def __init__(
        self,
        client: Client,
        *,
        abandoned_ms: int = ABANDONED_MS,
        step_messages: int = STEP_MESSAGES,
    ) -> None:
        self._client = client
        self._abandoned_ms = abandoned_ms
        self._step_messages = step_messages
        self._turn = Turn(client, abandoned_ms)
        self._unanswered = False

    async def state(self) -> LogState:
        """Return what there is."""
        return _state(await self._info())

    async def blobs_bytes(self) -> int:
        """Return the size of all blobs on the server, 0 when there never was one."""
        try:
            found = await call(self._client, f"STREAM.INFO.{stream_of(BUCKET)}", {}, _Info)
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise
            return 0
        return found.state.bytes

    async def recover(self) -> bool:
        """Put back what an archive that died has left parked; say whether there was any.

        Raises LogUnavailable while that one may still be alive.
        """
        try:
            found = await self._info()
        except Refused as refusal:
            if refusal.error.err_code != STREAM_NOT_FOUND:
                raise
            return False
        since = _metadata(found).get(ARCHIVING)
        if since is None:
            return False
        now_ms = parse_ms(found.ts)
        if now_ms - parse_ms(since) < self._abandoned_ms:
            raise under_way(self._abandoned_ms)
        await self._turn.take(now_ms)
        await self._restore()
        await self._turn.release()
        return True

    async def drop(
        self, base: BaseRef, *, before: BaseRef | None, progress: Callable[[int], None]
    ) -> None:
        """Let the server drop all messages as far as `base`, of which it then says that it is it.

        `before` is the base that the log had when `base` was made. The blob of the base is stored
        already. `progress` is called with how many more are gone. Raises LogError when somebody
        else has archived meanwhile, ReadOnlyLog for a twin.
        """
        while True:
            found = await self._info()
            if self._is_done(found, base, before):
                return
            await self._turn.take(parse_ms(found.ts))
            subject = f"{PARKED}.{self._client.new_inbox().rpartition('.')[2]}"
            try:
                found = await self._info()  # another may have had the turn meanwhile
                if self._is_done(found, base, before):
                    return
                await self._step(found, subject, base)
            finally:
                # Also when this is cancelled: nobody can append before it is done.
                await asyncio.shield(asyncio.ensure_future(self._leave(subject)))
            progress((await self._info()).state.first_seq - found.state.first_seq)

    def _is_done(self, found: _Info, base: BaseRef, before: BaseRef | None) -> bool:
        """Whether all is dropped that is to be; raises what `drop` does if it must not be."""
        metadata = _metadata(found)
        if TWIN in metadata:
            raise ReadOnlyLog("a twin is a copy: its beginning stays", hint="delete the twin")
        if ARCHIVING in metadata:
            raise under_way(self._abandoned_ms)
        there = base_of(metadata)
        if there not in (before, base):
            raise LogError(
                "somebody else has archived this log meanwhile; nothing was dropped",
                hint="archive what is there now to another file",
            )
        return there == base and found.state.first_seq + _slack(found) > base.position

    async def _leave(self, subject: str) -> None:
        """Put back what this process parked, and let others have their turn only after that.

        What found no answer may still be on its way, and would undo theirs: it is waited out.
        """
        await self._restore(subject)
        if not self._unanswered:
            await self._turn.release()

    async def _step(self, found: _Info, subject: str, base: BaseRef) -> None:
        """Drop the next messages; the stream is parked then, and whole or done whatever fails."""
        began_s = asyncio.get_running_loop().time()
        metadata = _metadata(found) | {ARCHIVING: found.ts}
        parked = found.config | {"subjects": [subject], "metadata": metadata}
        if _replicas(found) == 1:
            await self._update(parked | {"discard": "new", "max_msgs": 1})
            await self._nothing_under_way(subject)
            state = (await self._info()).state
        else:
            await self._update(parked)
            state = await self._settled()
        end = min(base.position, state.first_seq + self._step_messages - 1)
        keep = max(1, state.last_seq - end + _slack(found))
        await self._turn.confirm()
        if asyncio.get_running_loop().time() - began_s > PROMISED_S:
            raise LogUnavailable(
                "the server took too long to answer; nothing was dropped", hint="try again"
            )
        metadata |= {BASE: encode_base_ref(base)}
        limit = {"discard": "old", "max_msgs": keep, "metadata": metadata}
        await self._update(parked | limit, timeout_s=DROP_TIMEOUT_S)

    async def _nothing_under_way(self, subject: str) -> None:
        """Wait until the server has seen to all that came before; what it is asked it refuses."""
        try:
            reply = await heeding(self._client.request(subject, b"", timeout=PROMISED_S))
        except (NatsError, OSError) as error:
            if denies(self._client.last_error, subject):
                raise not_admitted(subject) from error
            raise LogUnavailable(
                f"the server did not answer while the log was parked ({type(error).__name__})",
                hint="nothing was dropped; try again",
            ) from error
        refusal = msgspec.json.decode(reply.data, type=_Refusal).error
        if refusal is None or refusal.err_code != TOO_MANY:
            said = refusal.description if refusal is not None else "it was stored"
            raise LogError(f"the parked log took a message ({said}); nothing was dropped")

    async def _settled(self) -> _State:
        """Return what the stream holds once all its replicas hold it, and nothing more comes."""
        before = (await self._info()).state
        for _ in range(SETTLED_TRIES):
            await asyncio.sleep(SETTLED_S)
            found = await self._info()
            current = all(one.current and not one.lag for one in found.cluster.replicas)
            if current and found.state == before:
                return before
            before = found.state
        raise LogUnavailable(
            "not all servers of the log are up to date; nothing was dropped",
            hint="wait until they are, or start those that are down",
        )

    async def _restore(self, subject: str | None = None) -> None:
        """Take the stream into use again, whatever was done to it meanwhile.

        With `subject` only if it is parked to that: another may have it by now.
        """
        for number in range(RESTORE_TRIES):
            try:
                found = await self._info()
                metadata = _metadata(found)
                theirs = subject is not None and found.config.get("subjects") != [subject]
                if metadata.pop(ARCHIVING, None) is not None and not theirs:
                    usual = {key: FIXED[key] for key in ("subjects", "discard", "max_msgs")}
                    await self._update(found.config | usual | {"metadata": metadata})
                return
            except LotaError as error:
                log.warning("the log is not in use again yet: %s", error)
                if number + 1 == RESTORE_TRIES or self._client.is_closed:
                    error.hint = (
                        "until it is, nothing can be appended, and nothing is lost: run lota log "
                        f"archive again in {self._abandoned_ms // 1000} s"
                    )
                    raise
                await asyncio.sleep(RESTORE_S)

    async def _info(self) -> _Info:
        return await call(self._client, f"STREAM.INFO.{STREAM}", {}, _Info)

    async def _update(
        self, config: dict[str, Any], *, timeout_s: float = REQUEST_TIMEOUT_S
    ) -> None:
        try:
            await call(self._client, f"STREAM.UPDATE.{STREAM}", config, _Info, timeout_s=timeout_s)
        except LogUnavailable:
            self._unanswered = True
            raise


def _state(found: _Info) -> LogState:
    state = found.state
    base = base_of(_metadata(found))
    return LogState(
        first=max(1, state.first_seq, base.position + 1 if base is not None else 0),
        last=state.last_seq,
        messages=state.messages,
        bytes=state.bytes,
        subjects=state.num_subjects,
        first_time=state.first_ts,
        last_time=state.last_ts,
        replicas=_replicas(found),
        base=base,
    )


def _replicas(found: _Info) -> int:
    count: int = found.config.get("num_replicas", 1)
    return count


def _slack(found: _Info) -> int:
    return SLACK if _replicas(found) > 1 else 0


def _metadata(found: _Info) -> dict[str, str]:
    """Return a stream's metadata without those keys that are the server's own."""
    metadata: dict[str, str] = found.config.get("metadata") or {}
    return {key: value for key, value in metadata.items() if not key.startswith("_nats.")}
