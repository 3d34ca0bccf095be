"""`lota webhook`: who hears of events over HTTP, how far that has come, and how to change it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from events.errors import JobFailed, LotaError, WaitTimedOut, WrongUsage
from node.cli.output import Columns, OutputOption, note, show_document, show_rows
from node.cli.server import Connection, Server, connected
from node.redaction import hide, url_secrets

if TYPE_CHECKING:
    from events.jetstream import JetStreamKeyValues
    from node.webhooks.registration import Pong, Progress
    from node.webhooks.registry import Registry

COLUMNS: Columns = {
    "id": "ID",
    "state": "STATE",
    "url": "URL",
    "types": "TYPES",
    "job": "JOB",
    "position": "POSITION",
    "late": "LATE",
    "accepted": "ACCEPTED",
    "failed": "FAILED",
}
FIRST_WORD_S = 3.0
TEST_S = 40.0


class _Open(NamedTuple):
    connection: Connection
    values: "JetStreamKeyValues"
    registry: "Registry"


async def add(
    url: str,
    /,
    *,
    type: Annotated[list[str] | None, Parameter(negative=())] = None,
    job: str | None = None,
    credential: str = "",
    unsigned: Annotated[bool, Parameter(negative=())] = False,
    since: str = "",
    server: Server | None = None,
) -> None:
    """Register a webhook: events are posted to a URL, each as its CloudEvents document.

    A requester delivers, at least once and in order in each job, and tries again until the URL
    answers 2xx. Its id is printed. Deliveries are signed as Standard Webhooks are, with the field
    secret of a credential that the requesters have.

    Example: lota webhook add https://hooks.example.org/lota --type job.completed --credential hooks

    Parameters
    ----------
    url
        Where to post to; its host must be one that the requesters' operators allow.
    type
        Only events of this type, such as job.completed; may be given several times.
    job
        Only this job's events: its id, or the start of it.
    credential
        Name of the credential to sign with.
    unsigned
        Do not sign: the receiver cannot know who sends.
    since
        Begin at a position (1234), a time (2026-11-23T09:00:00Z) or so long ago (1h); default now.
    """
    from events.clock import now_ms
    from events.selection import read_kinds
    from node.jobs import find_job
    from node.webhooks.registration import Webhook, read_credential, read_url, webhook_id

    if bool(credential) == unsigned:
        raise WrongUsage(
            "say how to sign: --credential NAME, or --unsigned",
            hint="a receiver that acts on what it gets has to know who sends: use a credential",
        )
    hide(*url_secrets(url))
    checked, types = read_url(url), read_kinds(type or [])
    name = read_credential(credential) if credential else ""
    async with _opened(server) as opened:
        log = opened.connection.log
        log.require_writable()
        only = await find_job(log, job) if job else ""
        webhook = Webhook(
            id=webhook_id(checked, types, only),
            url=checked,
            created_ms=now_ms(),
            types=types,
            job=only,
            credential=name,
        )
        position = await _begin(opened.connection, since)
        await opened.registry.add(webhook, position)
        print(webhook.id, flush=True)
        word = await _first_word(opened, webhook.id)
        note(f"Events behind position {position} are delivered{word}")


async def ls(
    *,
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative=())] = False,
    output: OutputOption = "table",
    server: Server | None = None,
) -> None:
    """List the webhooks, and how far each has come.

    Example: lota webhook ls

    Parameters
    ----------
    quiet
        Print the ids only.
    """
    from node.webhooks.views import webhook_view

    async with _opened(server) as opened:
        rows = [webhook_view(it) for it in await opened.registry.all()]
    if quiet:
        for row in rows:
            print(row["id"])
    elif output == "table":
        show_rows([{**row, "late": len(row["late"]) or None} for row in rows], COLUMNS, output)
    else:
        show_rows(rows, COLUMNS, output)


async def describe(
    webhook: str, /, *, output: OutputOption = "table", server: Server | None = None
) -> None:
    """Show a webhook: what it wants, how far it has come, and why it waits.

    Example: lota webhook describe 5f0c

    Parameters
    ----------
    webhook
        Its id, or the start of it.
    """
    from node.webhooks.views import webhook_view

    async with _opened(server) as opened:
        view = webhook_view(await opened.registry.find(webhook))
    if output == "table":
        late = view["late"]
        view["late"] = [f"{job} (behind {position})" for job, position in late.items()] or None
        failure = view.pop("last_failure")
        view |= {f"failure_{field}": value for field, value in (failure or {}).items()}
        view = {field.replace("_", " "): value for field, value in view.items()}
    show_document(view, output)


async def rm(
    *webhook: Annotated[str, Parameter(required=True)], server: Server | None = None
) -> None:
    """Remove webhooks. A delivery that is under way may still arrive.

    Example: lota webhook rm 5f0c

    Parameters
    ----------
    webhook
        Ids, or starts of them.
    """
    async with _opened(server) as opened:
        for found in [await opened.registry.find(text) for text in webhook]:
            await opened.registry.remove(found.id)
            note(f"{found.id} is removed; it stood at position {found.progress.position}")


async def pause(webhook: str, /, *, server: Server | None = None) -> None:
    """Deliver nothing until it is resumed; nothing is lost meanwhile.

    Example: lota webhook pause 5f0c

    Parameters
    ----------
    webhook
        Its id, or the start of it.
    """
    async with _opened(server) as opened:
        found = await opened.registry.find(webhook)
        await opened.registry.switch(found.id, "paused")
        note(f"{found.id} is paused at position {found.progress.position}")


async def resume(webhook: str, /, *, since: str = "", server: Server | None = None) -> None:
    """Go on with a webhook that is paused or disabled, from where it stands.

    Example: lota webhook resume 5f0c

    Parameters
    ----------
    webhook
        Its id, or the start of it.
    since
        Go on from this point instead: a position, a time or how long ago. What lies between is
        delivered again, or is left out for good.
    """
    async with _opened(server) as opened:
        found = await opened.registry.find(webhook)
        position = await _begin(opened.connection, since) if since else None
        await opened.registry.move(found.id, position)
        await opened.registry.switch(found.id, "active")
        stands = found.progress.position if position is None else position
        note(f"{found.id} goes on behind position {stands}")


async def ping(webhook: str, /, *, server: Server | None = None) -> None:
    """Have a test event delivered now, and say what the receiver answered.

    It is of the type lota.webhook.ping.v1, stands on no log, and is tried once.

    Example: lota webhook test 5f0c

    Parameters
    ----------
    webhook
        Its id, or the start of it.
    """
    from events.clock import now_ms
    from events.ids import new_id
    from node.webhooks.registration import Ping

    async with _opened(server) as opened:
        found = await opened.registry.find(webhook)
        wish = Ping(new_id(), now_ms())
        note(f"Waiting for a requester to deliver a test, and for the answer (up to {TEST_S:g} s)")
        await opened.registry.ping(found.id, wish)
        pong = await _pong(opened.values, found.id, wish.id)
    said = f"{pong.what} ({pong.took_ms} ms, delivered by {pong.node})"
    if not pong.accepted:
        raise JobFailed(f"the test was not accepted: {said}", hint="it is not tried again")
    print(f"accepted: {said}")


@asynccontextmanager
async def _opened(server: Server | None) -> AsyncIterator[_Open]:
    from events.jetstream import open_key_values
    from node.webhooks.registration import BUCKET
    from node.webhooks.registry import Registry

    async with connected(server) as connection:
        values = await open_key_values(connection.client, BUCKET)
        try:
            yield _Open(connection, values, Registry(values))
        finally:
            await values.close()


async def _begin(connection: Connection, since: str) -> int:
    """Return the position behind which to begin."""
    from events.client.subscribing import first_position
    from events.clock import now_ms
    from events.jetstream import History

    if since in ("", "now"):
        return await connection.log.last()
    return await first_position(History(connection.client), since, now_ms()) - 1


async def _first_word(opened: _Open, name: str) -> str:
    """Wait a little for whoever delivers, and return what it says."""
    try:
        async with asyncio.timeout(FIRST_WORD_S):
            async with aclosing(opened.values.follow()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    for value in batch:
                        if value.key == f"progress.{name}" and value.data is not None:
                            progress = _progress(value.data)
                            if progress.problem:
                                return f", but they wait: {progress.problem}"
                            if progress.node:
                                return f" by {progress.node}"
    except TimeoutError:
        pass
    return ", once a requester takes it up: none has yet"


def _progress(data: bytes) -> "Progress":
    import msgspec

    from node.webhooks.registration import Progress

    return msgspec.json.decode(data, type=Progress)


async def _pong(values: "JetStreamKeyValues", name: str, ping: str) -> "Pong":
    import msgspec

    from node.webhooks.registration import Pong

    try:
        async with asyncio.timeout(TEST_S):
            async with aclosing(values.follow()) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    for value in batch:
                        if value.key == f"pong.{name}" and value.data is not None:
                            pong = msgspec.json.decode(value.data, type=Pong)
                            if pong.id == ping:
                                return pong
    except TimeoutError:
        raise WaitTimedOut(
            f"no requester has tried within {TEST_S:g} s", hint="is one running? See lota node ls"
        ) from None
    raise LotaError("the bucket was closed")
