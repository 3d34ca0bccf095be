"""Logs for operators, on stderr; the record of what happened is the event log.

Every line goes through `redacted`, with its traceback: a library that logs the URL it asks, or an
error that quotes a header, must not show a secret.
"""

import logging
import os
import sys
import threading

from node.redaction import redacted


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def log_to_stderr(*, debug: bool = False) -> None:
    """Let Lota's own messages through: warnings, from LOTA_LOG's level on, or all."""
    named = logging.getLevelNamesMapping().get(os.environ.get("LOTA_LOG", "WARNING").upper())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = logging.DEBUG if debug else named or logging.WARNING
    logging.basicConfig(handlers=[handler], level=level)
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    sys.unraisablehook = _unraisable
    threading.excepthook = _ended_thread


def _unraisable(problem: "sys.UnraisableHookArgs") -> None:
    """Log what Python would print by itself, unread."""
    error = problem.exc_value
    logging.getLogger(__name__).error("%s", problem.err_msg or "ignored", exc_info=error)


def _ended_thread(problem: threading.ExceptHookArgs) -> None:
    error = problem.exc_value
    logging.getLogger(__name__).error("a thread ended by an error", exc_info=error)
