"""Transport: one HTTP session, and what its answers and failures mean.

Rule: every failure of the HTTP library becomes one of our errors here, and
every status of docs/http.md has its meaning here. Redirects are never
followed blindly: the map is read again instead.

What is not here: whom to ask, and when again (see `osd.client.retries`).
"""

import asyncio
from collections.abc import Mapping
from typing import TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from eventlog.errors import OsdlogError
from eventlog.ids import Epoch, osd_name
from osd.broken_connections import why_broken
from osd.client.errors import ConditionFailed, NotThere
from osd.client.retries import Again
from osd.errors import DiskFull, Refused, Unavailable
from projections.cluster_map import Osd

CONNECT_S = 3.0
GRACE_S = 5.0
"""How much longer than an OSD was told to take it may take."""

WORLD_FAILED = (aiohttp.ClientError, OSError, TimeoutError)
"""What a request may raise, wherever in it."""
NOT_AN_OSD = (KeyError, ValueError, msgspec.MsgspecError)
"""What reading an answer raises that no OSD gave."""

_HINT = "`osdlog status` shows which OSDs answer."
T = TypeVar("T")

_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class _Error(msgspec.Struct):
    error: str
    hint: str


def new_session(cluster: str) -> aiohttp.ClientSession:
    """A session that changes no bytes, keeps no cookies, and says which cluster is meant."""
    return aiohttp.ClientSession(
        headers={"Osdlog-Cluster": cluster},
        connector=aiohttp.TCPConnector(limit=0, use_dns_cache=True),
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_OURS,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
        read_bufsize=1 << 18,
    )


def object_path(name: str) -> str:
    """The path of an object: its name is one segment, whatever is in it."""
    return f"/objects/{segment(name)}"


def segment(name: str) -> str:
    """A name as one segment of a path; `.` and `..` would mean something else."""
    quoted = quote(name, safe="")
    return quoted.replace(".", "%2E") if quoted in (".", "..") else quoted


def url_of(osd: Osd, path: str) -> URL:
    """Where an OSD answers `path`, which is encoded already."""
    return URL(f"http://{osd.address}{path}", encoded=True)


async def read_answer(
    session: aiohttp.ClientSession,
    osd: Osd,
    path: str,
    epoch: Epoch,
    patience_s: float,
    *,
    put: bytes | None = None,
) -> bytes | Again:
    """The body of an OSD's answer to a question, by this epoch or a newer one.

    With `put` that is put there first. Raises `Refused`.
    """
    headers = {"Osdlog-Epoch": str(epoch), "Osdlog-Deadline-Ms": str(int(1_000 * patience_s))}
    try:
        async with asyncio.timeout(patience_s + GRACE_S):
            method, url = "GET" if put is None else "PUT", url_of(osd, path)
            async with session.request(
                method, url, data=put, headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
    except WORLD_FAILED as error:
        return unreachable(osd, error)
    known = response.headers.get("Osdlog-Epoch")
    if known is not None and int(known) < epoch:
        behind = f"{osd_name(osd.osd)} has read the map to epoch {known}, not to {epoch}"
        return Again(Unavailable(f"{behind} yet", _HINT))
    if response.status == 200:
        return body
    found = no_answer(osd, response, body, "")
    if isinstance(found, Again):
        return found
    raise found


async def tell(
    session: aiohttp.ClientSession,
    osd: Osd,
    method: str,
    path: str,
    headers: Mapping[str, str],
    patience_s: float,
) -> bytes | Again:
    """The body of an OSD's answer to a request without a body. Raises `Refused`."""
    try:
        async with asyncio.timeout(patience_s + GRACE_S):
            async with session.request(
                method, url_of(osd, path), headers=headers, allow_redirects=False
            ) as response:
                body = await response.read()
    except WORLD_FAILED as error:
        return unreachable(osd, error)
    if response.status < 300:
        return body
    found = no_answer(osd, response, body, "")
    if isinstance(found, Again):
        return found
    raise found


def decoded(osd: Osd, body: bytes, kind: type[T]) -> T | Again:
    """What an OSD said in JSON."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as error:
        return not_an_osd(osd, error)


def not_an_osd(osd: Osd, error: Exception) -> Again:
    """Something else answers at that address."""
    detail = str(error) or type(error).__name__
    return Again(
        Unavailable(
            f"what answers at {osd.address} does not speak as {osd_name(osd.osd)} should: {detail}",
            "Perhaps another program has that port now: see `osdlog map show` and start the OSD.",
        )
    )


def unreachable(osd: Osd, error: BaseException) -> Again:
    """The OSD did not answer to the end; only what was never sent surely did nothing."""
    what = f"{osd_name(osd.osd)} at {osd.address} does not answer: {why_broken(error)}"
    is_unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return Again(Unavailable(what, _HINT), is_unknown=not is_unsent)


def no_answer(
    osd: Osd, response: aiohttp.ClientResponse, body: bytes, name: str
) -> Again | OsdlogError:
    """What an answer other than yes means: ask again, or an error to raise."""
    status = response.status
    said = _said(body)
    is_no = 400 <= status < 500 or status == 507
    if is_no and said is None and not _is_bare_by_rule(response):
        return not_an_osd(osd, ValueError(f"it answers {status}, and not in JSON of ours"))
    what, hint = said or (f"{osd_name(osd.osd)} answered {status}", _HINT)
    match status:
        case 307:
            newer = _number(response.headers, "Osdlog-Epoch")
            moved = f"{osd_name(osd.osd)} is not the primary any more, by epoch {newer}"
            return Again(Unavailable(moved, _HINT), newer=Epoch(newer))
        case 404:
            return NotThere(what, hint) if said else not_there(name)
        case 412:
            return ConditionFailed(what, hint)
        case 503:
            after_ms = _number(response.headers, "Retry-After-Ms")
            newer = _number(response.headers, "Osdlog-Epoch")
            return Again(Unavailable(what, hint), after_ms, newer=Epoch(newer))
        case 504:
            return Again(Unavailable(what, hint), is_unknown=True)
        case 507:
            return DiskFull(what, hint)
        case _ if 400 <= status < 500:
            return Refused(what, hint)
        case _:
            return Again(Unavailable(what, hint), is_unknown=True)


def not_there(name: str) -> NotThere:
    """As an OSD says it; its answer to a HEAD has no body that would."""
    return NotThere(f"there is no object {name!r}", "`osdlog ls` lists the names there are.")


def _is_bare_by_rule(response: aiohttp.ClientResponse) -> bool:
    """An OSD's answer to a HEAD, which has no body."""
    return response.method == "HEAD" and "Osdlog-Epoch" in response.headers


def _said(body: bytes) -> tuple[str, str] | None:
    """The sentence and the hint that docs/http.md promises with every error."""
    try:
        said = msgspec.json.decode(body, type=_Error)
    except msgspec.DecodeError:
        return None
    return said.error, said.hint


def _number(headers: Mapping[str, str], name: str) -> int:
    text = headers.get(name, "")
    return int(text) if text.isdecimal() else 0
