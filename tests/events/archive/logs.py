"""Small logs and their exports, made without a server."""

from collections.abc import Iterable, Mapping

from events.archive.compose import Composer
from events.archive.lines import Header, Selection, Stored

CREATED = "2026-11-23T09:00:00Z"


def stored(position: int, *, job: str = "a", kind: str = "job.submitted") -> Stored:
    """Return a message of a job; its body is as plain as an event can be."""
    identity = f"id-{position}"
    return Stored(
        position=position,
        subject=f"lota.ev.00.{job}.g.cli.{kind}",
        time=f"2026-11-23T08:00:00.{position:09d}Z",
        id=identity,
        body=f'{{"id":"{identity}","data":{{"job": "{job}"}}}}'.encode(),
    )


def export(
    messages: Iterable[Stored],
    *,
    blobs: Mapping[str, bytes] | None = None,
    selection: Selection | None = None,
) -> list[bytes]:
    """Return the lines of an export of these."""
    kept = list(messages)
    composer = Composer()
    header = Header(
        stream="LOTA",
        created=CREATED,
        filter=selection or Selection(),
        first=kept[0].position if kept else 1,
        last=kept[-1].position if kept else 0,
    )
    lines = [composer.begin(header), *map(composer.message, kept)]
    for cid, data in (blobs or {}).items():
        lines += composer.blob(cid, data)
    return [*lines, composer.end()]
