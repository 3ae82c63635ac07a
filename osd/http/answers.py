"""Answers as HTTP: the one place where a status code is chosen.

Rule: every answer names this node's map epoch. One that is not a yes is JSON
with one sentence of what happened and one of what to do next.
"""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any, NamedTuple, assert_never
from urllib.parse import quote

import msgspec
from aiohttp import web

from eventlog.errors import OsdlogError
from eventlog.ids import Epoch, RgId, Version, osd_name, rg_name
from osd.core.answers import (
    Answer,
    ConditionFailed,
    Done,
    Elsewhere,
    Found,
    Kept,
    Known,
    NotFound,
    NotNow,
    OutcomeUnknown,
    Refused,
    Reserved,
    Unavailable,
    UpToDate,
)
from osd.errors import DiskFull
from projections.rg_state import Entry, OpKind

JSON = "application/json"
BINARY = "application/octet-stream"
_SAFE = "!#$&'*+-./:;<=>?@[]^_`{|}~(), "
"""Stands for itself in a metadata header; everything else is percent-encoded."""

_AGAIN = "Try again; nothing was appended."
_SOON = {"Retry-After-Ms": "1000"}
"""Where it takes more than a moment until there is a yes."""


def etag(rg: RgId, version: Version) -> str:
    """The ETag of an object's version."""
    return f'"{rg}.{version}"'


def json_response(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Anything as JSON."""
    return web.Response(
        body=msgspec.json.encode(content), status=status, content_type=JSON, headers=headers
    )


def error(
    status: int, what: str, hint: str, headers: Mapping[str, str] | None = None, **more: Any
) -> web.Response:
    """A no, and what to do next."""
    return json_response({"error": what, "hint": hint, **more}, status=status, headers=headers)


def ask_again(what: str, hint: str) -> web.Response:
    """A no of this node, whatever the request; later, or by a newer map, it may be a yes."""
    return error(503, what, hint, _SOON)


class About(NamedTuple):
    """What a response says whatever the answer is."""

    epoch: Epoch
    rg: RgId
    target: str
    """The request's path, for another node to answer."""


def refusal(failure: OsdlogError, epoch: Epoch) -> web.Response:
    """A request that was refused before the core heard of it."""
    status = 507 if isinstance(failure, DiskFull) else 400
    return error(status, failure.what, failure.hint, _epoch(epoch))


def to_response(answer: Answer, about: About, copies: int = 1) -> web.Response:
    """The response of any answer without a body of an object."""
    headers = _epoch(about.epoch)
    if isinstance(answer, Known):
        return web.Response(headers=headers | object_headers(answer.rg, answer.entry))
    if isinstance(answer, Done):
        return _done(answer, headers, copies)
    return _no(answer, about, headers)


def _no(answer: Answer, about: About, headers: dict[str, str]) -> web.Response:
    match answer:
        case Elsewhere():
            return _elsewhere(answer, about.target)
        case NotFound():
            hint = "`osdlog ls` lists the names there are."
            return error(404, f"there is no object {answer.name!r}", hint, headers)
        case ConditionFailed():
            return _condition_failed(answer, about.rg, headers)
        case NotNow():
            return _not_now(answer, headers)
        case Unavailable():
            return _unavailable(answer, headers)
        case OutcomeUnknown():
            hint = "Ask again with the same Idempotency-Key; the answer then is certain."
            return error(504, answer.why, hint, headers)
        case Refused():
            return error(422, answer.why, answer.hint, headers)
        case Done() | Known() | Found() | Reserved() | Kept() | UpToDate():
            raise AssertionError("a yes has its own response")
        case _:
            assert_never(answer)


def object_headers(rg: RgId, entry: Entry) -> dict[str, str]:
    """The headers that describe an object, but for `Osdlog-Epoch`."""
    body = entry.body
    assert body is not None
    headers = {
        "ETag": etag(rg, entry.version),
        "Osdlog-Rg": str(rg),
        "Osdlog-Version": str(entry.version),
        "Osdlog-Sha256": body.sha256.hex(),
        "Osdlog-Held-By": " ".join(osd_name(store.osd) for store in sorted(entry.holders())),
        "Last-Modified": _http_date(entry.time // 1_000_000),
        "Content-Type": body.media_type or BINARY,
        "Content-Length": str(body.size),
    }
    for key, value in body.metadata.items():
        headers[f"Osdlog-Meta-{key}"] = quote(value, safe=_SAFE)
    return headers


def _epoch(epoch: Epoch) -> dict[str, str]:
    return {"Osdlog-Epoch": str(epoch)}


@lru_cache(maxsize=256)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


def _done(answer: Done, headers: dict[str, str], copies: int) -> web.Response:
    tag = etag(answer.rg, answer.version)
    headers |= {
        "ETag": tag,
        "Osdlog-Rg": str(answer.rg),
        "Osdlog-Version": str(answer.version),
    }
    if answer.is_repeated:
        headers["Osdlog-Repeated"] = "1"
    if answer.kind is not OpKind.PUT:
        return web.Response(headers=headers)
    said = {"rg": answer.rg, "version": answer.version, "etag": tag, "copies": copies}
    return json_response(said, status=201, headers=headers)


def _elsewhere(answer: Elsewhere, target: str) -> web.Response:
    headers = _epoch(answer.epoch)
    if answer.address is None:
        headers["Retry-After-Ms"] = "200"
        return error(503, "the primary has no address", _AGAIN, headers)
    headers["Location"] = f"http://{answer.address}{target}"
    return web.Response(status=307, headers=headers)


def _condition_failed(answer: ConditionFailed, rg: RgId, headers: dict[str, str]) -> web.Response:
    if answer.current is None:
        what = "there is no object, and the condition wants one"
    else:
        what = f"the object is at version {answer.current}, not as the condition wants"
        headers |= {"ETag": etag(rg, answer.current), "Osdlog-Version": str(answer.current)}
    return error(412, what, "Read the object again, then decide.", headers)


def _not_now(answer: NotNow, headers: dict[str, str]) -> web.Response:
    headers["Retry-After-Ms"] = str(answer.retry_after_ms)
    if answer.no_room:
        hint = f"Free space {answer.no_room}; nothing was appended."
        return error(507, answer.why, hint, headers)
    return error(503, answer.why, _AGAIN, headers)


def _unavailable(answer: Unavailable, headers: dict[str, str]) -> web.Response:
    headers |= _SOON
    stores = [str(store) for store in answer.stores]
    what, hint = f"version {answer.version} of {answer.name!r}", "Write it again, or delete it."
    if stores:
        what += f" is only on {', '.join(stores)}, not up now"
        hint = "Bring one of them back; overwriting or deleting the object works meanwhile."
    else:
        what += " has no good copy left on any store"
    return error(
        503,
        what,
        hint,
        headers,
        version=answer.version,
        stores=stores,
    )


def not_followed(rg: RgId, epoch: Epoch) -> web.Response:
    """This node knows nothing of that RG."""
    return error(
        404,
        f"{rg_name(rg)} is not followed here",
        f"`osdlog rg show {rg:x}` names the OSDs to ask.",
        _epoch(epoch),
    )
