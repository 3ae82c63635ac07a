"""Holdings: what a store has of an RG, in two numbers that anybody can compare.

Rule: the digest of a set of copies is the sum modulo 2^64 of, for each copy,
the first 8 bytes, little-endian, of MD5 of the text "rg:version" in decimal.
Sums can be kept up copy by copy, in any order, and in SQL.
"""

import hashlib
import struct
from functools import lru_cache

import msgspec

from eventlog.ids import RgId, Version

_MODULUS = 1 << 64
_FIRST = struct.Struct("<Q").unpack_from


class Holdings(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How many copies, and the digest of which."""

    count: int = 0
    digest: int = 0

    def plus(self, rg: RgId, version: Version) -> "Holdings":
        """With one copy more."""
        return self.moved(1, weight(rg, version))

    def minus(self, rg: RgId, version: Version) -> "Holdings":
        """With one copy less."""
        return self.moved(-1, -weight(rg, version))

    def moved(self, count: int, weights: int) -> "Holdings":
        """With so many copies more, whose weights are these together."""
        return Holdings(self.count + count, (self.digest + weights) % _MODULUS)

    def digest_bytes(self) -> bytes:
        """The digest as events carry it: 8 bytes, little-endian."""
        return self.digest.to_bytes(8, "little")


NOTHING = Holdings()


@lru_cache(maxsize=4_096)
def weight(rg: RgId, version: Version) -> int:
    """What one copy adds to the digest; asked for each store that has the version, and the disk."""
    found: int = _FIRST(hashlib.md5(b"%d:%d" % (rg, version), usedforsecurity=False).digest())[0]
    return found
