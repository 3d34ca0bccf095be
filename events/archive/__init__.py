"""The log as a file: what `lota events export` writes and `--from` reads.

An export is text, one JSON document a line, in this order:

    {"lota":"export","version":1,"stream":"LOTA","created":T,"filter":{...},"from":1,"to":9}
    {"position":1,"subject":"lota.ev...","time":T,"event":{...}}      as many as there are
    {"blob":"<cid>","data":"<base64>"}                                blobs that events name
    {"end":true,"events":9,"blobs":1,"sha256":"<hex>"}

`event` is the stored body as it is, byte for byte: a CloudEvents document is JSON. A body that
cannot stand in a line (no JSON object, or one with line breaks) is `"body":"<base64>"` instead.
`position` is the one that the log gave it, `time` when the server stored it. The message id is the
event's `id`; only a message of another id says so, in `"id"` before its body. A blob is one or
several lines in a row, each of at most 192 KiB of it. The digest at the end is of all lines
before, line breaks included: it covers what no seal of a job does, positions and times.

An export of a log whose beginning was archived says in its first line, in `"base"`, what it begins
with: `{"position":5,"blob":"<cid>"}`, and the blob is among the others (`events.log.Base`).

The keys stand in this order and without spaces, so that equal logs are equal files. A reader of
version 1 passes over keys it does not know; the version counts up when that would be wrong. A
file whose name ends in `.zst` is compressed with zstd.
"""
