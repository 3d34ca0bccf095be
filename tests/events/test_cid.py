"""CIDs: one spelling each, and clear refusals of all others."""

import base64
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.cid import (
    DAG_PB,
    RAW,
    cid_bytes,
    cid_text,
    node_cid,
    parse_cid,
    raw_cid,
    raw_cid_bytes,
    varint,
)
from events.errors import ContentError

EMPTY_FILE = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
EMPTY_FOLDER = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


def test_an_empty_file_has_the_cid_that_ipfs_knows() -> None:
    """The raw CID of no bytes is the one that every IPFS tool prints for an empty file."""
    assert raw_cid(b"") == EMPTY_FILE


def test_an_empty_folder_has_the_cid_that_ipfs_knows() -> None:
    """The block of an empty directory has its well-known CID."""
    assert node_cid(b"\x0a\x02\x08\x01") == EMPTY_FOLDER


def test_parsing_gives_codec_and_digest() -> None:
    """A CID says whether it names file bytes or a node, and their sha256."""
    assert parse_cid(raw_cid(b"x")) == (RAW, sha256(b"x").digest())
    assert parse_cid(node_cid(b"x")) == (DAG_PB, sha256(b"x").digest())


@given(st.binary(max_size=64))
def test_text_and_bytes_name_the_same(data: bytes) -> None:
    """Spelling a CID and reading it back changes nothing, and the spelling is plain base32."""
    cid = raw_cid_bytes(data)
    text = cid_text(cid)
    assert cid_bytes(text) == cid
    assert text == "b" + base64.b32encode(cid).decode().lower().rstrip("=")


@given(st.integers(0, 58), st.characters())
def test_a_changed_letter_never_reads_as_the_same_cid(at: int, letter: str) -> None:
    """A mistyped CID is refused or names something else."""
    changed = EMPTY_FILE[:at] + letter + EMPTY_FILE[at + 1 :]
    try:
        parsed = parse_cid(changed)
    except ContentError:
        return
    assert (parsed == parse_cid(EMPTY_FILE)) == (changed == EMPTY_FILE)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        EMPTY_FILE.upper(),
        EMPTY_FILE + "a",
        EMPTY_FILE[:-1],
        EMPTY_FILE[:-1] + "v",
        " " + EMPTY_FILE[1:],
        "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn",
        "zdj7WbTaiJT1fgatdet9Ei9iDB5hdCxkbVyhyh8YTUnXMiwYi",
        "b" + base64.b32encode(b"\x01\x71\x12\x20" + bytes(32)).decode().lower()[:58],
        "b" + base64.b32encode(b"\x01\x55\x13\x20" + bytes(32)).decode().lower()[:58],
        "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyk\u00fc",
    ],
)
def test_what_is_not_one_of_our_cids_is_refused(text: str) -> None:
    """Other versions, bases, codecs, hashes, lengths and loose bits are errors with a hint."""
    with pytest.raises(ContentError) as caught:
        parse_cid(text)
    assert "CIDv1" in caught.value.hint


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (1 << 63, "80808080808080808001")],
)
def test_varints_are_unsigned_leb128(value: int, encoded: str) -> None:
    """Seven bits a byte, the lowest first, the highest bit says that more follow."""
    assert varint(value).hex() == encoded
