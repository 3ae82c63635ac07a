"""Headers: what is said beside the bytes, checked before anything is sent.

Rule: what HTTP cannot carry, or no OSD would take, is `BadName` here: nobody
is asked, and nobody waits.
"""

import re
import secrets
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote

from eventlog.errors import BadName
from eventlog.rg_events import MAX_METADATA_BYTES

META = "Osdlog-Meta-"
MAX_TEXT = 255
"""Characters of an actor, a media type, a request id."""

CONSISTENCIES = ("log", "barrier", "local")
"""What a read may wait for: the log as far as it says it goes, as far as an event appended then is
read back, or nothing, so that the answer may be late."""

Headers = dict[str, str]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - HTTP's word for a word
_KEY = re.compile(_TOKEN)
_MEDIA_TYPE = re.compile(rf"{_TOKEN}/{_TOKEN}(\s*;[\x20-\x7e]*)?", re.ASCII)
_REQUEST = re.compile(r"[\x21-\x7e]+")
_TAG = r' *(?:W/)?"[\x21\x23-\x7e]*" *'
_CONDITION = re.compile(rf"\*|{_TAG}(?:,{_TAG})*", re.ASCII)
_BARE_TAG = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
"""As an ETag is when a shell has taken its quotes."""


class Conditions(NamedTuple):
    """On what a change depends: `*` or ETags, of which one alone needs no quotes."""

    if_match: str | None = None
    if_none_match: str | None = None

    @property
    def headers(self) -> Headers:
        """As HTTP says it. Raises `BadName`."""
        said = {"If-Match": self.if_match, "If-None-Match": self.if_none_match}
        return {name: _condition(value) for name, value in said.items() if value is not None}


class Description(NamedTuple):
    """What is stored beside the bytes."""

    media_type: str | None = None
    metadata: Mapping[str, str] = {}

    @property
    def headers(self) -> Headers:
        """As HTTP says it. Raises `BadName`."""
        size = sum(len(key) + len(value) for key, value in self.metadata.items())
        if size > MAX_METADATA_BYTES:
            raise BadName(
                f"the metadata has over {MAX_METADATA_BYTES:,} characters",
                "Keep what is larger in an object of its own.",
            )
        said = {
            _key(key): escaped(value, f"metadata {key}") for key, value in self.metadata.items()
        }
        return said | ({} if self.media_type is None else {"Content-Type": _type(self.media_type)})


ALWAYS = Conditions()
PLAIN = Description()


def reading(consistency: str) -> Headers:
    """What a read waits for. Raises `BadName`."""
    if consistency not in CONSISTENCIES:
        raise BadName(
            f"{consistency!r} is nothing that a read waits for",
            f"It is one of {', '.join(CONSISTENCIES)}.",
        )
    return {"Osdlog-Consistency": consistency}


def request_id(given: str | None) -> Headers:
    """The id of one call, drawn where none is given. Raises `BadName`."""
    if given is None:
        return {"Idempotency-Key": secrets.token_hex(16)}
    if len(given) > MAX_TEXT or not _REQUEST.fullmatch(given):
        raise BadName(
            f"{given!r} is no request id",
            f"It has 1 to {MAX_TEXT} visible ASCII characters, and no space.",
        )
    return {"Idempotency-Key": given}


def why(reason: str) -> Headers:
    """Why something is declared. Raises `BadName`."""
    if not 0 < len(reason) <= MAX_TEXT:
        raise BadName(
            f"a reason of {len(reason):,} characters cannot be kept",
            f"Give one of 1 to {MAX_TEXT}.",
        )
    return {"Osdlog-Reason": escaped(reason, "the reason")}


def actor_of(name: str | None) -> Headers:
    """Who asks. Raises `BadName`."""
    if not name:
        return {}
    if len(name) > MAX_TEXT:
        raise BadName(f"the actor has over {MAX_TEXT} characters", "Give a shorter name.")
    return {"Osdlog-Actor": escaped(name, "the actor", safe=" @.")}


def escaped(text: str, what: str, safe: str = "/") -> str:
    """Percent-encoded UTF-8. Raises `BadName`."""
    try:
        return quote(text, safe=safe)
    except UnicodeEncodeError as error:
        raise BadName(f"{what} is not valid Unicode", "Give it as UTF-8.") from error


def _key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise BadName(
            f"{key!r} is no key of metadata",
            "A key has ASCII letters, digits and !#$%&'*+-.^_`|~; its value may be any text.",
        )
    return META + key


def _type(text: str) -> str:
    if len(text) > MAX_TEXT or not _MEDIA_TYPE.fullmatch(text):
        raise BadName(f"{text!r} is no media type", "Write it as TYPE/SUBTYPE: text/plain.")
    return text


def _condition(text: str) -> str:
    if _BARE_TAG.fullmatch(text):
        return f'"{text}"'
    if not _CONDITION.fullmatch(text):
        raise BadName(f"{text!r} is no ETag", "Write * or the ETag that `osdlog stat` shows.")
    return text
