"""Inputs: all that can happen to a node, as data.

Rule: inputs may be lost, late, repeated or in any order, but for `Read`,
whose records are in the log's order within each partition.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from eventlog.ids import Boot, Epoch, Fence, Offset, RgId, Serial, Store, Version
from eventlog.log import Record, TopicPartition
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from osd.core.effects import Ticket
from osd.core.pulls import Limits
from osd.core.room import Room
from osd.disk import Body
from projections.snapshots import Snapshot

Payload = bytes | str
"""A body that arrived: small ones as bytes, large ones as the id of a durable file."""


class Started(NamedTuple):
    """The process runs and answers HTTP at this address."""

    address: str


class Decoded(NamedTuple):
    """A record and the event it holds."""

    record: Record
    event: MapChanged | RgEvent


class Skipped(NamedTuple):
    """A record that cannot be decoded, which the map lets everybody pass over."""

    record: Record


class Read(NamedTuple):
    """Records of followed partitions."""

    records: tuple[Decoded | Skipped, ...]


class Ended(NamedTuple):
    """Answer to `Ask`: where the partitions ended at some moment after it."""

    number: int
    ends: Mapping[TopicPartition, Offset]


class AppendFailed(NamedTuple):
    """These appends failed; `is_unknown`: they may be in the log all the same."""

    tickets: tuple[Ticket, ...]
    why: str
    is_unknown: bool
    is_full: bool = False


class Got(NamedTuple):
    """Bytes that are here, and their sum is right."""

    version: Version
    payload: Payload
    source: Store
    """Who gave them."""


class Fetched(NamedTuple):
    """Answer to `Fetch`: what came of it."""

    ticket: Ticket
    got: tuple[Got, ...]
    why: str = ""
    """Why nobody gave good bytes of the others, if there are any."""
    is_own_disk: bool = False
    """Whether that is because this node's disk did not take them."""


class Limited(NamedTuple):
    """Somebody set the limits of what this node does in the background."""

    limits: Limits


class SnapshotCame(NamedTuple):
    """Answer to `AskSnapshot`; None: nobody gave one that can be believed."""

    rg: RgId
    snapshot: Snapshot | None
    next_serial: Serial | None = None
    """What its giver said with it; see `osd.core.handover.next_serial`."""


class Condition(NamedTuple):
    """What must be true of the object for an operation to be done."""

    must_exist: bool = False
    must_not_exist: bool = False
    match: frozenset[Version] | None = None
    """If-Match with versions: the object's must be one of them."""
    none_match: frozenset[Version] = frozenset()
    """If-None-Match with versions: the object's must be none of them."""

    def admits(self, current: Version | None) -> bool:
        """Whether an object at that version (None: no object) meets the condition."""
        if current is None:
            return not self.must_exist and self.match is None
        if self.must_not_exist or current in self.none_match:
            return False
        return self.match is None or current in self.match


ALWAYS = Condition()


class Reserve(NamedTuple):
    """A body is about to come: say under which fence and serial it is staged, and where."""

    ticket: Ticket
    rg: RgId
    epoch: Epoch
    deadline: int
    """Milliseconds of the node's clock."""


class Release(NamedTuple):
    """The body of a reservation came to nothing."""

    rg: RgId
    serial: Serial


class Staging(NamedTuple):
    """Where the body of a put is durable already, under a reservation."""

    fence: Fence
    serial: Serial
    peers: tuple[Store, ...]
    trouble: str = ""
    """Why it is not at other peers."""
    full: tuple[Store, ...] = ()
    """Those of the others whose disks have no room for it."""


class Stage(NamedTuple):
    """The RG's primary sends a body to be staged here."""

    ticket: Ticket
    boot: Boot
    """The process that it is meant for."""
    rg: RgId
    epoch: Epoch
    deadline: int
    """Milliseconds of the node's clock."""
    fence: Fence
    serial: Serial
    name: str
    payload: Payload
    size: int
    sha256: bytes


class Arriving(NamedTuple):
    """A large body of that object begins to arrive, as a file."""

    rg: RgId
    ticket: Ticket
    name: str
    staging: tuple[Fence, Serial] | None = None
    """As what a primary sends it to be staged here; None for a client's."""


class Arrived(NamedTuple):
    """It is no file without a row any more: it was given in another input, or is gone."""

    rg: RgId
    ticket: Ticket


class Settled(NamedTuple):
    """The fence's process says that its serials under `below` are settled before `next_offset`."""

    ticket: Ticket
    rg: RgId
    fence: Fence
    below: Serial
    next_offset: Offset


class SettleAnswered(NamedTuple):
    """Answer to `Settle`: whether the peer has dropped what it was told of."""

    ticket: Ticket
    rg: RgId
    is_done: bool


class Put(NamedTuple):
    """Store this body under this name."""

    ticket: Ticket
    rg: RgId
    name: str
    epoch: Epoch
    """The sender's; 0 if it has no map."""
    deadline: int
    """Milliseconds of the node's clock."""
    payload: Payload
    size: int
    sha256: bytes
    media_type: str | None = None
    metadata: Mapping[str, str] = {}
    request: str | None = None
    actor: str | None = None
    condition: Condition = ALWAYS
    staging: Staging | None = None
    """None: the body is nowhere but here."""


class Declaration(NamedTuple):
    """An operator's word that an object's last version is lost."""

    reason: str
    accepts_loss: bool = False
    """Also if stores that have a good copy are only down."""


class Delete(NamedTuple):
    """Remove the object of this name, or declare it lost."""

    ticket: Ticket
    rg: RgId
    name: str
    epoch: Epoch
    deadline: int
    request: str | None = None
    actor: str | None = None
    condition: Condition = ALWAYS
    declaration: Declaration | None = None
    """None: it is removed."""


class Consistency(StrEnum):
    """What a read waits for."""

    LOG = "log"
    """All that was in the log when it came, as the log says where its end is."""
    BARRIER = "barrier"
    """The same, found by reading back an event that is appended then: a broker that has lost a
    partition and does not know it yet may say where it ends, but takes no event."""
    LOCAL = "local"
    """Nothing: the answer may be late."""


class Get(NamedTuple):
    """Serve the object of this name."""

    ticket: Ticket
    rg: RgId
    name: str
    epoch: Epoch
    deadline: int
    consistency: Consistency = Consistency.LOG
    is_head: bool = False
    """The bytes are not wanted."""


class Barrier(NamedTuple):
    """Say when every RG of which this OSD is primary is folded up to the log's present end."""

    ticket: Ticket
    deadline: int


class Hinted(NamedTuple):
    """A homeless RG's holder says that this OSD should claim it."""

    rg: RgId
    epoch: Epoch


class HoldingsWanted(NamedTuple):
    """Somebody's proof waits until this store has stated what it has of these RGs."""

    rgs: tuple[RgId, ...]


class Damaged(NamedTuple):
    """This store's copy of that version, kept in that body, is bad or could not be read."""

    rg: RgId
    version: Version
    body: Body


class Sound(NamedTuple):
    """All bytes of that copy are right, also if it is said to be lost."""

    rg: RgId
    version: Version
    body: Body


class Miscounted(NamedTuple):
    """The rows of this RG's copies were found to differ from the log: count them anew."""

    rg: RgId


class Tick(NamedTuple):
    """Time passed, and the disk was looked at."""

    room: Room | None = None
    """How full it is; None: nobody knows better than before."""


class Stopping(NamedTuple):
    """The process was asked to stop: say so in the map."""


Input = (
    Started
    | Read
    | Ended
    | AppendFailed
    | Fetched
    | Limited
    | Reserve
    | Release
    | Arriving
    | Arrived
    | Stage
    | Settled
    | SettleAnswered
    | Put
    | Delete
    | Get
    | Barrier
    | Hinted
    | HoldingsWanted
    | SnapshotCame
    | Damaged
    | Sound
    | Miscounted
    | Tick
    | Stopping
)
