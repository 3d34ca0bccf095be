#!/usr/bin/env python3
"""Receives the webhooks of Lota with Python's standard library and nothing else.

    LOTA_WEBHOOK_SECRET=... python3 receive.py [PORT]

Prints one line of JSON for each event that is new and whose signature is right. To replace a
secret, give both for a while, with a space between them.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_S = 300
"""Older deliveries are refused: somebody may have recorded them."""

BODY_BYTES_MAX = 2 * 1024 * 1024
REMEMBERED_MAX = 100_000


def key(secret: str) -> bytes:
    """Return the key that a secret stands for: `whsec_` is followed by base64."""
    encoded = secret.startswith("whsec_")
    return base64.b64decode(secret.removeprefix("whsec_")) if encoded else secret.encode()


KEYS = [key(secret) for secret in os.environ.get("LOTA_WEBHOOK_SECRET", "").split()]


def is_genuine(id: str, timestamp: str, body: bytes, signatures: str, now_s: float) -> bool:
    """Say whether one of the signatures is ours, of this very document, and made just now."""
    if not timestamp.isdecimal() or abs(now_s - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{id}.{timestamp}.".encode() + body
    ours = [base64.b64encode(hmac.new(it, signed, hashlib.sha256).digest()) for it in KEYS]
    theirs = [it.partition(",")[2].encode() for it in signatures.split() if it.startswith("v1,")]
    return any(hmac.compare_digest(one, other) for one in ours for other in theirs)


def take(event: dict[str, str]) -> None:
    """Do what is to be done about an event."""
    print(json.dumps({"id": event["id"], "job": event["subject"], "type": event["type"]}))
    sys.stdout.flush()


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 for what it has taken, now or before; for anything else it is sent again."""

    protocol_version = "HTTP/1.1"
    timeout = 30
    turn = threading.Lock()
    seen: dict[str, None] = {}
    """A receiver that must not forget over a restart keeps these with what it does."""

    def do_POST(self) -> None:
        """Take one delivery."""
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size) > BODY_BYTES_MAX:
            self.close_connection = True
            self._answer(413)
            return
        body = self.rfile.read(int(size))
        name, timestamp, signatures = (
            self.headers.get(f"webhook-{it}", "") for it in ("id", "timestamp", "signature")
        )
        if not is_genuine(name, timestamp, body, signatures, time.time()):
            self._answer(401)
            return
        with self.turn:
            if name not in self.seen:
                take(json.loads(body))
                # Only when it is done: what is answered before and then lost does not come again.
                self.seen[name] = None
                if len(self.seen) > REMEMBERED_MAX:
                    del self.seen[next(iter(self.seen))]
        self._answer(200)

    def log_message(self, format: str, *args: object) -> None:
        """Leave stderr to errors."""

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def main() -> None:
    """Serve until Ctrl-C, and say where."""
    if not KEYS:
        sys.exit("receive.py: set LOTA_WEBHOOK_SECRET to the secret of the credential")
    port = sys.argv[1] if len(sys.argv) > 1 else "8000"
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), Receiver)
    except (OSError, ValueError, OverflowError) as error:
        sys.exit(f"receive.py: cannot listen on port {port} ({error}): name another one")
    print(f"listening at http://127.0.0.1:{server.server_port}/", file=sys.stderr, flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
