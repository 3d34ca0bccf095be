"""Logs for operators, on stderr; the record of what happened is the event log."""

import logging
import os
import sys


def log_to_stderr() -> None:
    """Let Lota's own messages through: warnings, or from LOTA_LOG's level on."""
    level = os.environ.get("LOTA_LOG", "WARNING").upper()
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.getLevelNamesMapping().get(level, logging.WARNING),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("nats").setLevel(logging.CRITICAL)
