"""The span that the calling program is in, if it uses OpenTelemetry."""

import sys


def current_traceparent() -> str:
    """Return the `traceparent` of the current span, "" where there is none.

    A program that traces has imported OpenTelemetry itself, so nobody else pays for it.
    """
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ""
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
