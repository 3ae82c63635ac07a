"""Weights of many copies.

Rule: each is what `projections.holdings.weight` says of it.
"""

import hashlib

import numpy as np

from projections.bulk.arrays import Longs, Words

_md5 = hashlib.md5


def weights_of(rgs: Longs, versions: Longs) -> Words:
    """The weight of each (rg, version)."""
    pairs = zip(rgs.tolist(), versions.tolist(), strict=True)
    digests = [_md5(b"%d:%d" % pair, usedforsecurity=False).digest() for pair in pairs]
    found: Words = np.frombuffer(b"".join(digests), "<u8")[::2]
    return found
