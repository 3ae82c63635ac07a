"""Requests: what a client asked for, checked before anything is done.

Rule: a request that contradicts itself is `Refused` here, whatever the node's
state. Nothing is guessed: escapes must be well-formed, text must be UTF-8,
numbers decimal, and a path has exactly the segments that it should have.

What is not here: answers (see `osd.http.answers`), and bodies.
"""

import re
from collections.abc import Mapping
from typing import Annotated, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec
from multidict import CIMultiDictProxy

from eventlog.errors import BadName
from eventlog.ids import Epoch, Fence, RgId, Version, checked_name, parse_fence
from eventlog.rg_events import MAX_METADATA_BYTES
from osd.core.inputs import ALWAYS, Condition, Consistency, Declaration
from osd.couriers import Delivery, Parcel, Sent
from osd.errors import Refused

DEADLINE_MS = 10_000
MAX_DEADLINE_MS = 600_000
MAX_TEXT = 255
"""Characters of an actor, a media type, a request id."""

MAX_COPIES = 256
"""Small ones, asked for together."""

META_PREFIX = "osdlog-meta-"

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_MEDIA_TYPE = re.compile(r"[\x20-\x7e]{1,255}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_MOST = 10**18
_Number = Annotated[int, msgspec.Meta(ge=0, lt=_MOST)]
_SUM = re.compile(r"[0-9A-Fa-f]{64}")
_ETAG = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*')
_OUR_ETAG = re.compile(r"([0-9]{1,10})\.([0-9]{1,18})")

Headers = CIMultiDictProxy[str]


class Sender(NamedTuple):
    """What every request of an object says of its sender."""

    epoch: Epoch
    patience_ms: int
    request: str | None
    actor: str | None


def sender_of(headers: Headers) -> Sender:
    """Epoch, deadline, request id and actor."""
    patience = number(headers, "Osdlog-Deadline-Ms", DEADLINE_MS)
    request = headers.get("Idempotency-Key")
    if request is not None and not _VISIBLE.fullmatch(request):
        raise _refused("Idempotency-Key is not 1 to 255 visible ASCII characters")
    return Sender(
        Epoch(number(headers, "Osdlog-Epoch", 0)),
        min(patience, MAX_DEADLINE_MS),
        request,
        _actor(headers.get("Osdlog-Actor")),
    )


def number(headers: Headers, name: str, default: int) -> int:
    """A decimal header."""
    text = headers.get(name)
    return default if text is None else _number(text, name)


def parameter(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    """A decimal number of a query."""
    return min(_number(query[name], name), most) if name in query else default


def consistency_of(headers: Headers) -> Consistency:
    """What a read waits for."""
    text = headers.get("Osdlog-Consistency", "log")
    if text not in tuple(Consistency):
        raise _refused(f"Osdlog-Consistency is {text[:40]!r}, neither log, barrier nor local")
    return Consistency(text)


def object_name(segment: str) -> str:
    """The name in one path segment."""
    if "/" in segment:
        raise Refused("the path has more segments than one name has", "Write / in a name as %2F.")
    return checked_object_name(text_of(segment, "the object name"))


def checked_object_name(name: str) -> str:
    """The name, if an object may have it."""
    try:
        return checked_name(name)
    except BadName as error:
        raise Refused(error.what, error.hint) from error


def text_of(escaped: str, what: str) -> str:
    """Percent-decoded UTF-8."""
    if "%" not in escaped and escaped.isascii():
        return escaped
    if _BAD_ESCAPE.search(escaped):
        raise _refused(f"{what} has a % that no two hexadecimal digits follow")
    try:
        return unquote_to_bytes(escaped.encode("utf-8", "surrogateescape")).decode()
    except UnicodeError:
        raise _refused(f"{what} is not UTF-8") from None


def query_of(text: str) -> dict[str, str]:
    """The parameters of a query, each once."""
    found: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        key, _, value = pair.partition("=")
        if key in found:
            raise _refused(f"the parameter {key!r} stands twice in the query")
        found[key] = text_of(value, f"the parameter {key!r}")
    return found


def rg_in_path(segment: str, rg_count: int) -> RgId:
    """An RG as paths have it: hexadecimal."""
    try:
        rg = int(segment, 16) if segment.isalnum() else -1
    except ValueError:
        rg = -1
    if not 0 <= rg < max(rg_count, 1):
        raise Refused(
            f"{segment!r} is not a replica group of this cluster",
            f"Write its hexadecimal number, 0 to {max(rg_count - 1, 0):x}.",
        )
    return RgId(rg)


def number_in_path(segment: str, what: str) -> int:
    """A decimal number as paths have it."""
    if not _NUMBER.fullmatch(segment):
        raise Refused(f"{segment[:40]!r} is not {what}", "Write a decimal number.")
    return int(segment)


def sum_of(headers: Headers) -> bytes | None:
    """The sum that the body should have, if the sender says one."""
    text = headers.get("Osdlog-Sha256")
    if text is None:
        return None
    if not _SUM.fullmatch(text):
        raise _refused("Osdlog-Sha256 is not 64 hexadecimal digits")
    return bytes.fromhex(text)


def fence_of(headers: Headers) -> Fence:
    """Under which claim another node asks."""
    try:
        return parse_fence(headers.get("Osdlog-Fence", ""))
    except BadName as error:
        raise Refused(error.what, error.hint) from error


def media_type_of(headers: Headers) -> str | None:
    """The body's media type, as it was said."""
    text = headers.get("Content-Type")
    if text is not None and not _MEDIA_TYPE.fullmatch(text):
        raise _refused("Content-Type is not 1 to 255 printable ASCII characters")
    return text


def metadata_of(headers: Headers) -> Mapping[str, str]:
    """User metadata by lower-case key."""
    found: dict[str, str] = {}
    size = 0
    for name, value in headers.items():
        key = name.lower()
        if not key.startswith(META_PREFIX):
            continue
        key = key.removeprefix(META_PREFIX)
        if not key or key in found:
            raise _refused(f"the header {name} stands twice or names no key")
        found[key] = text_of(value, name)
        size += len(key) + len(found[key].encode())
    if size > MAX_METADATA_BYTES:
        raise _refused(f"the user metadata has {size:,} bytes, and may have {MAX_METADATA_BYTES:,}")
    return found


def condition_of(headers: Headers, rg: RgId) -> Condition:
    """If-Match and If-None-Match."""
    match, none_match = headers.getall("If-Match", ()), headers.getall("If-None-Match", ())
    if not match and not none_match:
        return ALWAYS
    wanted = _versions(match, "If-Match", rg, is_strong=True)
    unwanted = _versions(none_match, "If-None-Match", rg, is_strong=False)
    return Condition(
        must_exist=bool(match),
        must_not_exist=bool(none_match) and unwanted is None,
        match=wanted if match else None,
        none_match=unwanted or frozenset(),
    )


def delivery_of(message: bytes) -> Delivery:
    """Small bodies that another node stages here together, and what it says is settled."""
    try:
        delivery = msgspec.msgpack.decode(message, type=Delivery)
    except msgspec.MsgspecError as error:
        raise _refused(f"the message is no delivery: {error}") from None
    for item in delivery.items:
        about = f"rg {item.rg:x}"
        if isinstance(item, Parcel):
            about = repr(checked_object_name(item.name))
        if not _has_possible_numbers(item):
            raise _refused(f"what is sent of {about} has numbers that cannot be")
    return delivery


def _has_possible_numbers(item: Sent) -> bool:
    """Those of a path or a header cannot be others; these would fit no key and no event."""
    fence, store = item.fence, item.fence.store
    numbers: list[int] = [item.rg]
    if isinstance(item, Parcel):
        numbers += [item.boot, item.epoch, item.serial]
    else:
        numbers += [item.below, item.next_offset]
    numbers += [fence.epoch, fence.round, fence.boot]
    are_decimal = all(0 <= each < _MOST for each in numbers)
    return are_decimal and 0 <= store.osd < 10**9 and 0 <= store.incarnation < 1 << 64


def asked_copies(body: bytes) -> list[tuple[Version, str]]:
    """The versions and names of copies that another node asks for, each once."""
    try:
        asked = msgspec.json.decode(body, type=list[tuple[_Number, str]])
    except msgspec.MsgspecError as error:
        raise _refused(f"the body is no list of versions and names: {error}") from None
    if len(asked) > MAX_COPIES or len(asked) != len({version for version, _ in asked}):
        raise _refused(f"more than {MAX_COPIES} copies are asked for, or one of them twice")
    return [(Version(version), name) for version, name in asked]


def declaration_of(headers: Headers) -> Declaration:
    """Why an object is lost, and whether also where its holders are only down."""
    reason = text_of(headers.get("Osdlog-Reason", ""), "Osdlog-Reason")
    if not 0 < len(reason) <= MAX_TEXT:
        raise _refused(f"Osdlog-Reason does not have 1 to {MAX_TEXT} characters")
    accepts = headers.get("Osdlog-Accept-Loss", "0")
    if accepts not in ("0", "1"):
        raise _refused(f"Osdlog-Accept-Loss is {accepts[:40]!r}, neither 0 nor 1")
    return Declaration(reason, accepts == "1")


def _versions(
    values: list[str] | tuple[()], name: str, rg: RgId, *, is_strong: bool
) -> frozenset[Version] | None:
    """The versions that ETags of this RG name; None for `*`."""
    text = ",".join(values).strip()
    if text == "*":
        return None
    found = set()
    for part in text.split(",") if text else ():
        tag = _ETAG.fullmatch(part)
        if tag is None:
            raise _refused(f"{name} is neither * nor a list of ETags in quotes")
        ours = _OUR_ETAG.fullmatch(tag[2])
        if ours and int(ours[1]) == rg and not (tag[1] and is_strong):
            found.add(Version(int(ours[2])))
    return frozenset(found)


def _actor(text: str | None) -> str | None:
    if text is None:
        return None
    actor = text_of(text, "Osdlog-Actor")
    if len(actor) > MAX_TEXT:
        raise _refused(f"Osdlog-Actor has more than {MAX_TEXT} characters")
    return actor


def _number(text: str, name: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _refused(f"{name} is {text[:40]!r}, not a decimal number")
    return int(text)


def _refused(what: str) -> Refused:
    return Refused(what, "Correct the request; docs/http.md says what it may have.")
