"""Commit, then reveal: what a node says when it has finished, and how it is opened.

The commitment is the sha256, in lower-case hex, of canonical JSON (sorted keys, no spaces, UTF-8,
whole numbers) of {v, job, shard, execution, node, claim, nonce}. It binds the claim to one
execution of one node, so that copying it wins nothing.
"""

import hashlib
import hmac

import msgspec

from events.items import Claim

VERSION = 1


def execution_id(job: str, shard: int, attempt: int) -> str:
    """Return `<job>-<shard>-<attempt>`: the name of an execution outside of events."""
    return f"{job}-{shard}-{attempt}"


def commit(job: str, shard: int, attempt: int, node: str, claim: Claim, nonce: str) -> str:
    """Return the commitment to `claim`; `nonce` is 32 bytes as lower-case hex."""
    document = {
        "v": VERSION,
        "job": job,
        "shard": shard,
        "execution": execution_id(job, shard, attempt),
        "node": node,
        "claim": {
            "cid": claim.cid,
            "dag_size_bytes": claim.dag_size_bytes,
            "exit_code": claim.exit_code,
            "fuel": claim.fuel,
        },
        "nonce": nonce,
    }
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def nonce(secret: bytes, execution: str) -> str:
    """Return the node's nonce for an execution: the same one after a restart, unguessable."""
    return hmac.new(secret, execution.encode(), hashlib.sha256).hexdigest()
