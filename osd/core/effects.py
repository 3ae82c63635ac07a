"""Effects: all that one step of a node asks the world to do, as data.

Rule: the shell carries out effects in the order of steps, and within a step
in the order of the fields below. `changes` take effect at once; `unlink`,
`appends` and `confirms` come only after everything changed so far is durable. So bytes are
durable before the event that names them is appended, and erased before their
erasure is said.

What is not here: answers to what an effect asked; they come back as inputs.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from eventlog.errors import OsdlogError
from eventlog.ids import Epoch, Fence, Offset, Partition, RgId, Serial, Store, Topic, Version
from eventlog.log import TopicPartition
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from osd.core.answers import Answer

Ticket = int
"""Names one request to or from the world; never used twice by one process."""


class Append(NamedTuple):
    """Append this event. It is answered only if it failed or may have."""

    ticket: Ticket
    event: RgEvent | MapChanged


class Ask(NamedTuple):
    """Tell where these partitions end now."""

    number: int
    partitions: frozenset[TopicPartition]


class Lacked(NamedTuple):
    """An object that is to be fetched, as the log says it is."""

    name: str
    version: Version
    size: int
    sha256: bytes


class Fetch(NamedTuple):
    """Get copies of these from any of these addresses, and check their sums.

    More than one are fetched at once only if each is small enough to be bytes.
    """

    ticket: Ticket
    rg: RgId
    lacked: tuple[Lacked, ...]
    sources: tuple[tuple[Store, str], ...]

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(lacked.size for lacked in self.lacked)


class Hint(NamedTuple):
    """Tell that address that this RG waits for its claim; may get lost."""

    address: str
    rg: RgId
    epoch: Epoch


class AskSnapshot(NamedTuple):
    """Get a snapshot of this RG from one of these addresses, if there is no doubt about it."""

    rg: RgId
    addresses: tuple[str, ...]


class Settle(NamedTuple):
    """Tell that address which serials are settled; see `osd.core.inputs.Settled`."""

    ticket: Ticket
    address: str
    rg: RgId
    fence: Fence
    below: Serial
    next_offset: Offset


class Reply(NamedTuple):
    """Answer a client's request."""

    ticket: Ticket
    answer: Answer


class Follow(NamedTuple):
    """Read this partition from here on; None: no more."""

    topic: Topic
    partition: Partition
    next_offset: Offset | None


@dataclass(slots=True)
class Effects:
    """What one step asks for."""

    changes: dict[bytes, bytes | None] = field(default_factory=dict)
    unlink: list[str] = field(default_factory=list)
    """Ids of files whose rows are gone."""
    appends: list[Append] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    follows: list[Follow] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)
    snapshots: list[AskSnapshot] = field(default_factory=list)
    settles: list[Settle] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    confirms: list[Reply] = field(default_factory=list)
    """Replies that say that something is durable: given once all `changes` so far are."""
    stop: OsdlogError | None = None
    """The node must not go on; nothing of this step but `changes` is to be done."""
