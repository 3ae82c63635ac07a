"""Answers: what a node can say to a client's request. Expected refusals are among them.

Rule: every answer that is not a yes says why in one sentence, and whether the
same request may succeed later.
"""

from typing import NamedTuple

from eventlog.ids import Boot, Epoch, Fence, RgId, Serial, Store, Version
from osd.disk import Body
from projections.rg_state import Entry, OpKind

AT_THE_LOG = "where the log is"


class Done(NamedTuple):
    """An operation is in the log, folded and accepted."""

    kind: OpKind
    rg: RgId
    version: Version
    is_repeated: bool = False
    """The same request id was answered before; nothing was appended now."""


class Found(NamedTuple):
    """The object is here, current and complete."""

    rg: RgId
    entry: Entry
    body: Body


class Known(NamedTuple):
    """What the log says of the object; the bytes were not asked for."""

    rg: RgId
    entry: Entry


class Peer(NamedTuple):
    """Another store of an RG that is up, the process it is up by, and where that answers."""

    store: Store
    boot: Boot
    address: str


class Reserved(NamedTuple):
    """The body may come: it is staged under this fence and serial, here and at the peers."""

    rg: RgId
    fence: Fence
    serial: Serial
    peers: tuple[Peer, ...]


class Kept(NamedTuple):
    """What another node asked for is done, and durable here."""


class UpToDate(NamedTuple):
    """These RGs are folded up to where the log ended when the request came."""

    rgs: tuple[RgId, ...]


class NotFound(NamedTuple):
    """There is no such object."""

    name: str


class ConditionFailed(NamedTuple):
    """If-Match or If-None-Match said no."""

    current: Version | None


class Elsewhere(NamedTuple):
    """Another OSD is this RG's primary, by a newer map than the sender's."""

    epoch: Epoch
    address: str | None


class NotNow(NamedTuple):
    """Nobody can serve this now; nothing was appended for it."""

    why: str
    retry_after_ms: int = 200
    no_room: str = ""
    """Where space must be freed before the same may succeed, if that is why."""


class Unavailable(NamedTuple):
    """The object lives, but no store that is up has a good copy; `stores` have one and are down."""

    name: str
    version: Version
    stores: tuple[Store, ...]


class OutcomeUnknown(NamedTuple):
    """An append was sent and its fate is not known yet."""

    why: str


class Refused(NamedTuple):
    """The request contradicts itself, another one, or what is known of the object."""

    why: str
    hint: str = "Use a new request id for a new request."


Answer = (
    Done
    | Found
    | Known
    | Reserved
    | Kept
    | UpToDate
    | NotFound
    | ConditionFailed
    | Elsewhere
    | NotNow
    | Unavailable
    | OutcomeUnknown
    | Refused
)
