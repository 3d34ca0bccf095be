"""The commitment to a result, computed a second time by other means."""

import hashlib
import hmac
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import decode
from events.commitment import commit, execution_id, nonce
from events.facts import ResultsProposed, ResultsRevealed
from events.items import Claim
from tests.events.test_codec import GOLDEN

CLAIM = Claim(cid="bafkreia", dag_size_bytes=48_213, exit_code=0)
NONCE = "5e" * 32


def independent(job: str, shard: int, attempt: int, node: str, claim: Claim, key: str) -> str:
    document = {
        "v": 1,
        "job": job,
        "shard": shard,
        "execution": f"{job}-{shard}-{attempt}",
        "node": node,
        "nonce": key,
        "claim": {
            "fuel": claim.fuel,
            "exit_code": claim.exit_code,
            "cid": claim.cid,
            "dag_size_bytes": claim.dag_size_bytes,
        },
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


@given(
    st.text(),
    st.integers(0, 10**6),
    st.integers(0, 100),
    st.text(),
    st.builds(
        Claim,
        cid=st.text(),
        dag_size_bytes=st.integers(0, 2**53),
        exit_code=st.integers(0, 255),
        fuel=st.none() | st.integers(0, 2**53),
    ),
)
def test_canonical_json(job: str, shard: int, attempt: int, node: str, claim: Claim) -> None:
    """The commitment is what any JSON library makes of sorted keys without spaces."""
    assert commit(job, shard, attempt, node, claim, NONCE) == independent(
        job, shard, attempt, node, claim, NONCE
    )


def test_known_answer() -> None:
    """The format never changes: this value is kept for ever."""
    known = "0dac1594e0c681674b28f83c0d0b486900795b9e19d6262b333e6cfe5be2b2e1"

    assert commit("job", 1, 2, "node-1", CLAIM, NONCE) == known


def test_golden_opens() -> None:
    """The golden reveal opens the golden proposal."""
    proposed = decode((GOLDEN / "lota.results.proposed.v1.json").read_bytes())
    revealed = decode((GOLDEN / "lota.results.revealed.v1.json").read_bytes())
    assert isinstance(proposed, ResultsProposed)
    assert isinstance(revealed, ResultsRevealed)
    given_, opened = proposed.data.proposals[0], revealed.data.reveals[0]

    assert given_.commitment == commit(
        revealed.subject, opened.shard, opened.attempt, "node-2", opened.claim, opened.nonce
    )


@pytest.mark.parametrize(
    "other",
    [
        ("job2", 1, 2, "node-1", CLAIM, NONCE),
        ("job", 0, 2, "node-1", CLAIM, NONCE),
        ("job", 1, 3, "node-1", CLAIM, NONCE),
        ("job", 1, 2, "node-2", CLAIM, NONCE),
        ("job", 1, 2, "node-1", Claim("bafkreib", 48_213, 0), NONCE),
        ("job", 1, 2, "node-1", Claim("bafkreia", 48_214, 0), NONCE),
        ("job", 1, 2, "node-1", Claim("bafkreia", 48_213, 1), NONCE),
        ("job", 1, 2, "node-1", Claim("bafkreia", 48_213, 0, fuel=0), NONCE),
        ("job", 1, 2, "node-1", CLAIM, "5f" * 32),
    ],
)
def test_binding(other: tuple[str, int, int, str, Claim, str]) -> None:
    """Every part counts, so that a copied commitment is of no use to another node."""
    assert commit(*other) != commit("job", 1, 2, "node-1", CLAIM, NONCE)


def test_nonce() -> None:
    """The nonce is the HMAC-SHA256 of the execution: the same after a restart, else another."""
    expected = hmac.new(b"secret", b"job-1-2", "sha256").hexdigest()

    assert nonce(b"secret", execution_id("job", 1, 2)) == expected
    assert len(bytes.fromhex(expected)) == 32
    assert nonce(b"other", "job-1-2") != expected
    assert nonce(b"secret", "job-1-3") != expected
