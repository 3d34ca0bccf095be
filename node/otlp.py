"""Spans on their way to OpenTelemetry: OTLP over HTTP, by the packages of the extra `otel`."""

import asyncio
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from events.connection import without_login
from events.errors import LotaError, WrongUsage
from projections.spans import Span

PATH = "/v1/traces"
LOGGER = logging.getLogger(OTLPSpanExporter.__module__)
NS_PER_MS = 1_000_000
LAST_MS = ((1 << 64) - 1) // NS_PER_MS
"""The last time that OTLP has a number for, in the year 2554; its first is the Unix epoch."""


class SpanSender:
    """Sends spans to one collector.

    `endpoint` is its URL, with or without the path `/v1/traces`; None is what the variables
    `OTEL_EXPORTER_OTLP_*` say, which also give headers, certificates and the time limit. Raises
    WrongUsage for what is no URL.
    """

    def __init__(self, endpoint: str | None) -> None:
        self._exporter = OTLPSpanExporter(endpoint=None if endpoint is None else _whole(endpoint))
        self._resource = Resource({"service.name": "lota"})
        self._said = _Said()
        LOGGER.addHandler(self._said)
        LOGGER.propagate = False

    async def send(self, spans: Sequence[Span]) -> None:
        """Send spans in one request; raises LotaError when they were not taken.

        It is repeated for some seconds while the collector is out of reach or busy.
        """
        readable = [self._readable(span) for span in spans]
        self._said.first = ""
        result = await asyncio.to_thread(self._exporter.export, readable)
        if result is not SpanExportResult.SUCCESS:
            raise LotaError(
                f"the collector did not take the spans: {without_login(self._said.first)}",
                hint="see that it runs, and takes OTLP over HTTP there; then send them again",
            )

    def close(self) -> None:
        """Give up what is being sent."""
        LOGGER.removeHandler(self._said)
        LOGGER.propagate = True
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def _readable(self, span: Span) -> ReadableSpan:
        failed = Status(StatusCode.ERROR, span.failure)
        return ReadableSpan(
            span.name,
            context=_context(span.trace_id, span.span_id),
            parent=_context(span.trace_id, span.parent_id) if span.parent_id else None,
            resource=self._resource,
            attributes=span.attributes,
            events=[Event(name, timestamp=_ns(at_ms)) for name, at_ms in span.marks],
            status=failed if span.failure else Status(StatusCode.OK),
            start_time=_ns(span.start_ms),
            end_time=_ns(span.end_ms),
        )


class _Said(logging.Handler):
    """What the exporter said first of a failure: that names its cause."""

    first = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or record.getMessage()


def _ns(ms: int) -> int:
    """Return a time as OTLP has it; what some clock said beyond that is its first or last."""
    return min(max(ms, 0), LAST_MS) * NS_PER_MS


def _context(trace_id: str, span_id: str) -> SpanContext:
    sampled = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=sampled)


def _whole(endpoint: str) -> str:
    """Return the URL that spans are posted to."""
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise WrongUsage(f"{endpoint!r} is no URL", hint="write http://127.0.0.1:4318")
    return endpoint if parts.path.strip("/") else f"{endpoint.rstrip('/')}{PATH}"
