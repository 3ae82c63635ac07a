"""Names of things: every number in this system has a type that says what it counts.

Rule: identities are immutable, comparable and hashable, and say in their
docstring what they guarantee. What is not here: any behaviour of the things
named. Everybody may import this module; it imports nobody.
"""

import hashlib
import re
from enum import StrEnum
from typing import NewType

import msgspec

from eventlog.errors import BadName

OsdId = NewType("OsdId", int)
"""A storage node's number, 0 or more, chosen by the operator; printed `osd.3`."""

Incarnation = NewType("Incarnation", int)
"""Random positive 63-bit number given to a store when it is created; never reused."""

RgId = NewType("RgId", int)
"""A replica group's number, 0 to rg_count - 1; printed `rg 1f` (hexadecimal)."""

Epoch = NewType("Epoch", int)
"""Grows by one with every accepted map event; 0 is the map before the first one."""

Layout = NewType("Layout", int)
"""Grows by one with every accepted map event that moves data."""

Version = NewType("Version", int)
"""The n-th accepted operation of one RG makes version n: dense from 1, never reused."""

Round = NewType("Round", int)
"""Counts one process's claims of one RG for one epoch, from 1."""

Serial = NewType("Serial", int)
"""Counts one process's stagings of bytes in one RG, from 1."""

Boot = NewType("Boot", int)
"""Kept by the store and raised durably at every process start, from 1."""

StatementNumber = NewType("StatementNumber", int)
"""Counts one process's statements about one RG, from 1."""

Offset = NewType("Offset", int)
"""Place of a record in its partition, dense from 0; `next_offset` is exclusive."""

Partition = NewType("Partition", int)
Micros = NewType("Micros", int)
"""Microseconds since 1970-01-01 UTC, as the appender's clock said."""

MAX_NAME_BYTES = 1024
WEIGHT_ONE = 1 << 16
"""Weights are integers in 1/65,536, so that placement needs no floating point."""

_OSD = re.compile(r"(?:osd\.)?(\d{1,9})")
_RG = re.compile(r"(?:rg ?)?([0-9a-fA-F]{1,8})")
_POSITION = re.compile(r"(map|rg)/(\d{1,9})@(\d{1,18})")
_STORE = re.compile(r"osd\.(\d{1,9})/([0-9a-f]{16})")
_FENCE = re.compile(r"(\d{1,18})\.(\d{1,18}) osd\.(\d{1,9})/([0-9a-f]{16}) (\d{1,18})")


class Topic(StrEnum):
    """The three topics of a cluster's log."""

    MAP = "map"
    RG = "rg"
    SCHEMAS = "schemas"


class Store(msgspec.Struct, frozen=True, order=True, gc=False):
    """One disk: an OSD and the incarnation given when the store was created.

    A wiped OSD is a new store. Equal stores hold the same bytes; order is by
    OSD, then incarnation.
    """

    osd: OsdId
    incarnation: Incarnation

    def __str__(self) -> str:
        return f"osd.{self.osd}/{self.incarnation:016x}"


def parse_store(text: str) -> Store:
    """`osd.3/00ab34cd56ef7890`, as stores are printed, else `BadName`."""
    match = _STORE.fullmatch(text)
    if match is None:
        hint = "Write it as `osdlog rg show` does, as in osd.3/00ab34cd56ef7890."
        raise BadName(f"{text[:80]!r} is not a store", hint)
    return Store(OsdId(int(match[1])), Incarnation(int(match[2], 16)))


class Fence(msgspec.Struct, frozen=True, order=True):
    """What a claim gives its primary, and everything that primary then says carries.

    (epoch, round) orders the claims of one RG; (store, boot) names the one
    process that may use it. Two processes never share a fence, and one process
    never uses a fence twice.
    """

    epoch: Epoch
    round: Round
    store: Store
    boot: Boot

    @property
    def rank(self) -> tuple[int, int]:
        """The pair that must grow from claim to claim."""
        return (self.epoch, self.round)

    @property
    def process(self) -> tuple[Store, Boot]:
        """Who may use it."""
        return (self.store, self.boot)

    def __str__(self) -> str:
        return f"e{self.epoch}.{self.round} {osd_name(self.store.osd)} boot {self.boot}"


def write_fence(fence: Fence) -> str:
    """A fence with nothing left out, as nodes name it to each other."""
    return f"{fence.epoch}.{fence.round} {fence.store} {fence.boot}"


def parse_fence(text: str) -> Fence:
    """What `write_fence` wrote, else `BadName`."""
    match = _FENCE.fullmatch(text)
    if match is None:
        hint = "Write it as in 4.1 osd.0/00ab34cd56ef7890 2."
        raise BadName(f"{text[:80]!r} is not a fence", hint)
    store = Store(OsdId(int(match[3])), Incarnation(int(match[4], 16)))
    return Fence(Epoch(int(match[1])), Round(int(match[2])), store, Boot(int(match[5])))


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where a record stands. Order is the log's own only within one partition."""

    topic: Topic
    partition: Partition
    offset: Offset

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


def parse_position(text: str) -> Position:
    """`rg/31@4`, as positions are printed, else `BadName`."""
    match = _POSITION.fullmatch(text)
    if match is None:
        raise BadName(
            f"{text!r} is not a position", "Write it as `osdlog log cat` shows it, as in rg/31@4."
        )
    return Position(Topic(match[1]), Partition(int(match[2])), Offset(int(match[3])))


def osd_name(osd: OsdId) -> str:
    """`osd.3`."""
    return f"osd.{osd}"


def parse_osd(text: str) -> OsdId:
    """`3` or `osd.3`, else `BadName`."""
    if match := _OSD.fullmatch(text):
        return OsdId(int(match[1]))
    raise BadName(f"{text!r} is not an OSD", "Write its number, as in 3 or osd.3.")


def rg_name(rg: RgId) -> str:
    """`rg 1f`: replica groups are printed in hexadecimal."""
    return f"rg {rg:x}"


def parse_rg(text: str) -> RgId:
    """`1f` or `rg 1f`, else `BadName`."""
    if match := _RG.fullmatch(text):
        return RgId(int(match[1], 16))
    raise BadName(
        f"{text[:80]!r} is not a replica group",
        "Write its hexadecimal number, as in 1f; `osdlog rg ls` lists them.",
    )


def checked_name(name: str) -> str:
    """The object name itself, or `BadName` where no object can be called so.

    A name is 1 to 1,024 bytes of UTF-8 without NUL.
    """
    hint = f"Object names are 1 to {MAX_NAME_BYTES:,} bytes of UTF-8 without NUL."
    if not name:
        raise BadName("the object name is empty", hint)
    if "\0" in name:
        raise BadName("the object name has a NUL character", hint)
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadName("the object name is not valid Unicode (a lone surrogate)", hint) from None
    if size > MAX_NAME_BYTES:
        raise BadName(f"the object name is {size:,} bytes of UTF-8", hint)
    return name


def rg_of(name: str, rg_count: int) -> RgId:
    """The RG an object belongs to: first 8 bytes, little-endian, of MD5(name) mod rg_count.

    MD5 so that SQL can compute the same; nothing rests on its strength.
    """
    digest = hashlib.md5(name.encode(), usedforsecurity=False).digest()
    return RgId(int.from_bytes(digest[:8], "little") % rg_count)


def partition_of(rg: RgId, partitions: int) -> Partition:
    """The partition of an RG's events, of so many.

    An event belongs to the RG that it names, whatever its record's key is; where it stands in
    another partition, nobody folds it.
    """
    return Partition(rg % partitions)


def rg_key(rg: RgId) -> bytes:
    """The record key of an RG's events: its number, 4 bytes, big-endian."""
    return rg.to_bytes(4, "big")
