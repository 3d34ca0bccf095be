"""MurmurHash3 x64-128, the first half only: what places a name in a HAMT directory.

The standard library has no such hash, and a compiled one would be a dependency for the sake of
directories with thousands of entries.
"""

_MASK = 0xFFFFFFFFFFFFFFFF
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _finish(value: int) -> int:
    value = (value ^ value >> 33) * 0xFF51AFD7ED558CCD & _MASK
    value = (value ^ value >> 33) * 0xC4CEB9FE1A85EC53 & _MASK
    return value ^ value >> 33


def murmur3_64(data: bytes) -> int:
    """Return the first 64 bits of the x64-128 hash with seed 0, as a number."""
    h1 = h2 = 0
    size = len(data)
    body_size = size & ~15
    for at in range(0, body_size, 16):
        k1 = int.from_bytes(data[at : at + 8], "little")
        k2 = int.from_bytes(data[at + 8 : at + 16], "little")
        h1 ^= _rotate(k1 * _C1 & _MASK, 31) * _C2 & _MASK
        h1 = ((_rotate(h1, 27) + h2) * 5 + 0x52DCE729) & _MASK
        h2 ^= _rotate(k2 * _C2 & _MASK, 33) * _C1 & _MASK
        h2 = ((_rotate(h2, 31) + h1) * 5 + 0x38495AB5) & _MASK
    # A tail of zeros changes nothing, so a short one needs no case of its own.
    k1 = int.from_bytes(data[body_size : body_size + 8], "little")
    k2 = int.from_bytes(data[body_size + 8 :], "little")
    h2 ^= _rotate(k2 * _C2 & _MASK, 33) * _C1 & _MASK
    h1 ^= _rotate(k1 * _C1 & _MASK, 31) * _C2 & _MASK
    h1 ^= size
    h2 ^= size
    h1 = (h1 + h2) & _MASK
    h2 = (h2 + h1) & _MASK
    return (_finish(h1) + _finish(h2)) & _MASK
