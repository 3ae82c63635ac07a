"""Packing: several small bodies as one, for what nodes give each other.

Rule: each body has its length before it, in 8 bytes, big-endian; a length of
all ones is that of a body that is not there. What ends early is nothing.
"""

from collections.abc import Iterable

_LENGTH = 8
_ABSENT = (1 << 64) - 1


def pack(bodies: Iterable[bytes | None]) -> bytes:
    """These bodies in their order."""
    parts: list[bytes] = []
    for body in bodies:
        size = _ABSENT if body is None else len(body)
        parts += (size.to_bytes(_LENGTH, "big"), body or b"")
    return b"".join(parts)


def unpack(packed: bytes) -> list[bytes | None] | None:
    """The bodies again; None where that is not what it is."""
    bodies: list[bytes | None] = []
    at = 0
    while at < len(packed):
        start = at + _LENGTH
        size = int.from_bytes(packed[at:start], "big")
        at = start if size == _ABSENT else start + size
        if start > len(packed) or at > len(packed):
            return None
        bodies.append(None if size == _ABSENT else packed[start:at])
    return bodies
