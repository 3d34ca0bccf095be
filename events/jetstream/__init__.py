"""The log on NATS JetStream, by raw API requests where nats-py's own calls are slow or lossy."""

from events.jetstream.api import Refused
from events.jetstream.blob_removal import remove_blobs
from events.jetstream.history import History
from events.jetstream.importing import Imported, import_file
from events.jetstream.key_values import JetStreamKeyValues, open_key_values
from events.jetstream.log import JetStreamLog, open_log
from events.jetstream.object_draft import BucketFull
from events.jetstream.object_format import NAME_MAX_BYTES
from events.jetstream.object_store import JetStreamBlobs, open_blobs
from events.jetstream.objects import BUCKET_NAME, ObjectBucket
from events.jetstream.retention import LogState, Retention

__all__ = [
    "BUCKET_NAME",
    "NAME_MAX_BYTES",
    "BucketFull",
    "History",
    "Imported",
    "JetStreamBlobs",
    "JetStreamKeyValues",
    "JetStreamLog",
    "LogState",
    "ObjectBucket",
    "Refused",
    "Retention",
    "import_file",
    "open_blobs",
    "open_key_values",
    "open_log",
    "remove_blobs",
]
