"""Performs publications with credentials that never leave the node."""

import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from events.errors import PublishError
from events.spec import PublisherSpec
from node.compute.desk import Upload
from node.inputs.file_uri import allowed, to_uri
from publishers import open_publisher
from publishers.port import Publisher, Result, Workplace

OPEN_MAX = 64


class Uploads:
    """The publishers of this node, opened once per target.

    `local_root` is where the local publisher writes unless the job names a folder, which must lie
    below one of the operator's `allow` prefixes.
    """

    def __init__(self, local_root: Path, allow: tuple[str, ...], workplace: Workplace) -> None:
        self._local_root = local_root
        self._allow = allow
        self._workplace = workplace
        self._open: dict[PublisherSpec, Publisher] = {}

    async def publish(
        self,
        spec: PublisherSpec,
        upload: Upload,
        result: Result,
        key: str,
        cid: str,
        still_owed: Callable[[], Awaitable[bool]],
    ) -> None:
        """Publish one result and note in `upload` what came of it.

        Another result at the key was published by a node that the log has given up on since, so it
        gives way; but only when the log, read anew by `still_owed`, still asks this node.
        """
        began = time.monotonic()
        try:
            publisher = self._publisher(spec)
            try:
                location = await publisher.publish(result, key, cid=cid)
            except PublishError as error:
                if error.code != "conflict" or not await still_owed():
                    raise
                location = await publisher.publish(result, key, cid=cid, replace=True)
        except PublishError as error:
            _failed(upload, error.code, str(error), permanent=error.permanent)
        except OSError as error:
            _failed(upload, "io", f"{error.strerror}: {error.filename}", permanent=False)
        else:
            upload.uri, upload.cid = location.uri, location.cid
            upload.size_bytes = location.size_bytes
            upload.duration_ms = round((time.monotonic() - began) * 1000)
            upload.state = "done"

    def gone(self, upload: Upload, execution: str) -> None:
        """Note that this node no longer has the result that it should publish."""
        _failed(upload, "gone", f"the result of {execution} is not here any more", permanent=True)

    def _publisher(self, spec: PublisherSpec) -> Publisher:
        known = self._open.get(spec)
        if known is None:
            if len(self._open) >= OPEN_MAX:
                raise PublishError("busy", "too many publishing targets are open on this node")
            known = self._open[spec] = open_publisher(
                spec.driver, self._target(spec), self._credential(spec), self._workplace
            )
        return known

    def _target(self, spec: PublisherSpec) -> str:
        if spec.driver != "local":
            return spec.target
        if not spec.target:
            return str(self._local_root)
        if not allowed(to_uri(spec.target), self._allow):
            raise PublishError(
                "denied",
                f"this node may not write to {spec.target}",
                permanent=True,
                hint="leave the target out, or have the operator add it with --allow-path",
            )
        return spec.target

    def _credential(self, spec: PublisherSpec) -> Mapping[str, str]:
        if spec.credential:
            raise PublishError(
                "credential", f"this node has no credential {spec.credential!r}", permanent=True
            )
        return {}

    async def close(self) -> None:
        """Close every publisher."""
        for publisher in self._open.values():
            await publisher.close()
        self._open.clear()


def _failed(upload: Upload, code: str, message: str, *, permanent: bool) -> None:
    upload.code, upload.message, upload.permanent = code, message[:200], permanent
    upload.state = "failed"
