"""Keys of an OSD's rows.

Rule: a key is one letter for the kind, then big-endian numbers, so that the
order of keys is the order of what they name. Every kind of row but the
node's own begins with its RG, so that an RG can be forgotten by prefix.

    H rg                      the RG's state and how far it is folded
    E rg name                 an object or a tombstone
    V rg version              the object that a remembered version belongs to
    F rg store version        a copy that the log knows of; its value says if it is bare
    Q rg request              a remembered operation, by request id
    R rg version              the request id of a remembered operation
    C rg version              a copy on this disk that the log knows of
    I rg version              a copy imported to this disk, not yet in the log
    S rg fence serial         a body staged for a put, not yet in the log
    P rg                      the holdings of the C rows
    B rg body                 the bytes of a small body
    M                         the cluster map and how far it is folded
    L                         the limits that were set for this node
"""

from eventlog.ids import Fence, RgId, Serial, Store, Version

RG_KINDS = b"HEVFQRCISPB"
MAP_KEY = b"M"
LIMITS_KEY = b"L"


def prefix(kind: bytes, rg: RgId) -> bytes:
    """All rows of one kind of one RG; also the key of H and P."""
    return kind + rg.to_bytes(4, "big")


def by_version(kind: bytes, rg: RgId, version: Version) -> bytes:
    """Key of V, R, C and I."""
    return kind + rg.to_bytes(4, "big") + version.to_bytes(8, "big")


def by_text(kind: bytes, rg: RgId, text: str) -> bytes:
    """Key of E and Q."""
    return kind + rg.to_bytes(4, "big") + text.encode()


def of_store(rg: RgId, store: Store) -> bytes:
    """Prefix of the F rows of one store."""
    return prefix(b"F", rg) + store.osd.to_bytes(4, "big") + store.incarnation.to_bytes(8, "big")


def fact(rg: RgId, store: Store, version: Version) -> bytes:
    """Key of F."""
    return of_store(rg, store) + version.to_bytes(8, "big")


def staged(rg: RgId, fence: Fence, serial: Serial) -> bytes:
    """Key of S: ordered by the fence's rank, then by who uses it."""
    return (
        prefix(b"S", rg)
        + fence.epoch.to_bytes(8, "big")
        + fence.round.to_bytes(8, "big")
        + fence.store.osd.to_bytes(4, "big")
        + fence.store.incarnation.to_bytes(8, "big")
        + fence.boot.to_bytes(8, "big")
        + serial.to_bytes(8, "big")
    )


def body(rg: RgId, number: int) -> bytes:
    """Key of B."""
    return prefix(b"B", rg) + number.to_bytes(8, "big")


def ending(version: Version) -> bytes:
    """The 8 bytes that a key of V, F, R, C or I ends with."""
    return version.to_bytes(8, "big")


def last_number(key: bytes) -> int:
    """The 8-byte number that a key of V, F, R, C, I, S or B ends with."""
    return int.from_bytes(key[-8:], "big")


def rg_of_key(key: bytes) -> RgId:
    """The RG of any key but M and L."""
    return RgId(int.from_bytes(key[1:5], "big"))
