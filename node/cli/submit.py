"""`lota job submit`: a spec from a file or stdin onto the log."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from node.cli.output import show_document
from node.cli.server import CLIENT_NAME, Server, connected


def submit(
    spec: Annotated[str, Parameter(allow_leading_hyphen=True)],
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative=())] = False,
    server: Server | None = None,
) -> None:
    """Submit a job and print its id, as soon as the log has it.

    Example: lota job submit census.yaml

    Parameters
    ----------
    spec
        A YAML or JSON file, or - for stdin. Relative inputs are relative to where you are.
    dry_run
        Check the job, list its inputs and print it as it would be stored; submit nothing.
    """
    text, name = _read(spec)
    asyncio.run(_submit(text, name, dry_run=dry_run, server=server))


async def _submit(text: bytes, name: str, *, dry_run: bool, server: Server | None) -> None:
    import msgspec

    from events.client import gateway
    from events.ids import new_job_id
    from events.jetstream import open_blobs
    from node.cli.preparing import prepared
    from node.spec_file import load_spec

    submission = await prepared(load_spec(text, name=name), server)
    if dry_run:
        show_document(msgspec.to_builtins(submission.data.spec), "json")
        return
    job = new_job_id()
    async with connected(server) as connection:
        connection.log.require_writable()
        await gateway.submit(
            connection.log,
            await open_blobs(connection.client),
            submission,
            job=job,
            author=CLIENT_NAME,
            traceparent=os.environ.get("TRACEPARENT"),
        )
    print(job)


def _read(spec: str) -> tuple[bytes, str]:
    """Return the text of a spec, cut off above what a spec may have, and what to call it."""
    from events.errors import InvalidInput
    from node.spec_file import TEXT_BYTES_MAX

    if spec == "-":
        return sys.stdin.buffer.read(TEXT_BYTES_MAX + 1), "stdin"
    try:
        with Path(spec).open("rb") as file:
            return file.read(TEXT_BYTES_MAX + 1), spec
    except OSError as error:
        raise InvalidInput(
            f"{spec} cannot be read: {error.strerror}", hint="name a spec file, or - for stdin"
        ) from None
