"""Content identifiers: CIDv1, sha2-256, base32 in lower case, and nothing else.

One content has one name here, so that equality of results is equality of strings. Hence the
parser refuses every other spelling (CIDv0, base58, upper case, loose trailing bits) that the
CID specification would allow for the same digest.

A CID has two forms. Text stands in events, on the command line and in URIs. The 36 bytes stand
inside blocks and CAR files; trees are built on those, since spelling them out costs more than
hashing a small file.
"""

from hashlib import sha256

from events.errors import ContentError

RAW = 0x55
"""The codec of a block that is file bytes and nothing else."""

DAG_PB = 0x70
"""The codec of a block that links to others: a directory, or a file of several chunks."""

CID_SIZE_BYTES = 36
MAX_VARINT_BYTES = 9
TEXT_LENGTH = 59

_CONTINUES = 0x80
_RAW_PREFIX = bytes((1, RAW, 0x12, 32))
_NODE_PREFIX = bytes((1, DAG_PB, 0x12, 32))
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_PAIR_SHIFTS = range(280, -1, -10)
_TO_INT_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_LETTERS = frozenset(_ALPHABET)
_HINT = "A CID of Lota is CIDv1, sha2-256, base32 in lower case: 59 characters, first a 'b'"


def raw_cid_bytes(data: bytes | memoryview) -> bytes:
    """Return the CID of one chunk of file bytes (at most 1 MiB by the profile), as 36 bytes."""
    return _RAW_PREFIX + sha256(data).digest()


def node_cid_bytes(block: bytes) -> bytes:
    """Return the CID of an encoded dag-pb block, as 36 bytes."""
    return _NODE_PREFIX + sha256(block).digest()


def raw_cid(data: bytes) -> str:
    """Return the CID of one chunk of file bytes (at most 1 MiB by the profile), as text."""
    return cid_text(raw_cid_bytes(data))


def node_cid(block: bytes) -> str:
    """Return the CID of an encoded dag-pb block, as text."""
    return cid_text(node_cid_bytes(block))


def is_cid(cid: bytes) -> bool:
    """Say whether bytes that somebody sent are a CID of ours."""
    return len(cid) == CID_SIZE_BYTES and cid[:4] in (_RAW_PREFIX, _NODE_PREFIX)


def matches(cid: bytes, block: bytes | memoryview) -> bool:
    """Say whether a block's bytes are those that a CID of 36 bytes names."""
    return sha256(block).digest() == cid[4:]


def cid_text(cid: bytes) -> str:
    """Spell a CID of 36 bytes; the caller vouches for them."""
    # Two zero bits fill the 58 letters of five bits; pairs by table are faster than base64.
    bits = int.from_bytes(cid, "big") << 2
    return "b" + "".join([_PAIRS[(bits >> shift) & 1023] for shift in _PAIR_SHIFTS])


def cid_bytes(text: str) -> bytes:
    """Return the 36 bytes of a CID; raise `ContentError` when it is not one of ours."""
    if len(text) != TEXT_LENGTH or text[0] != "b" or not _LETTERS.issuperset(text):
        raise ContentError(f"not a CID: {text[:80]!r}", hint=_HINT)
    bits = int(text[1:].translate(_TO_INT_DIGITS), 32)
    cid = (bits >> 2).to_bytes(CID_SIZE_BYTES, "big")
    if bits & 3 or cid[:4] not in (_RAW_PREFIX, _NODE_PREFIX):
        raise ContentError(f"a CID of another kind: {text!r}", hint=_HINT)
    return cid


def parse_cid(text: str) -> tuple[int, bytes]:
    """Return the codec (`RAW` or `DAG_PB`) and the sha256 digest that a CID names.

    Raises `ContentError` for anything but the one spelling that Lota writes.
    """
    cid = cid_bytes(text)
    return cid[1], cid[4:]


def varint(value: int) -> bytes:
    """Encode a whole number from 0 on as unsigned LEB128, as blocks and CAR files frame sizes."""
    if value < _CONTINUES:
        return bytes((value,))
    out = bytearray()
    while value >= _CONTINUES:
        out.append(value & 0x7F | _CONTINUES)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the unsigned LEB128 number that begins at `at`, and where it ends.

    Raises `ContentError` when it is cut off or above 63 bits, which no size is.
    """
    try:
        value = data[at]
    except IndexError:
        value = _CONTINUES  # nothing more: as cut off as a byte that promises another
    if value < _CONTINUES:
        return value, at + 1
    value = shift = 0
    for end in range(at, min(at + MAX_VARINT_BYTES, len(data))):
        byte = data[end]
        value |= (byte & 0x7F) << shift
        if byte < _CONTINUES:
            return value, end + 1
        shift += 7
    raise ContentError("a size is cut off or absurd", hint="The data is damaged: get it again")
