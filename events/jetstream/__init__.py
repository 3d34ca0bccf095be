"""The log on NATS JetStream, by raw API requests where nats-py's own calls are slow or lossy."""

from events.jetstream.log import JetStreamLog, open_log
from events.jetstream.object_store import JetStreamBlobs, open_blobs

__all__ = ["JetStreamBlobs", "JetStreamLog", "open_blobs", "open_log"]
