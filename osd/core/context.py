"""What every part of a node core shares: who it is, the map, the clock, the effects so far.

Rule: within one step the clock stands still. Parts speak to the world only by
adding to `effects`, and to the disk only through `overlay`.
"""

from typing import NamedTuple

import msgspec

from eventlog.errors import OsdlogError
from eventlog.ids import (
    Boot,
    Fence,
    Micros,
    Partition,
    RgId,
    Serial,
    StatementNumber,
    Store,
    Topic,
    partition_of,
)
from eventlog.log import TopicPartition
from eventlog.map_events import MapChanged
from eventlog.rg_events import RgEvent
from osd import keys
from osd.core.answers import Answer
from osd.core.arrivals import Arrivals
from osd.core.effects import Append, Effects, Reply, Ticket
from osd.core.frontier import Frontier
from osd.core.pulls import Limits, Pulls
from osd.overlay import Overlay
from osd.rows import Rows
from projections.cluster_map import EMPTY, ClusterMap

MAP_PARTITION: TopicPartition = (Topic.MAP, Partition(0))


class Clock(NamedTuple):
    """The time of a step."""

    ms: int
    """Monotonic, from any origin."""
    micros: Micros
    """UTC, for events; nothing is decided by it."""


class Settings(NamedTuple):
    """How a node behaves in time. Times are in milliseconds."""

    calm_ms: int = 1_000
    """Background imports wait until placed has stood for so long."""
    limits: Limits = Limits()
    """Of background imports, until others are set."""
    together: int = 64
    """So many small objects are fetched at once."""
    hint_ms: int = 2_000
    """A homeless RG's holder hints its primary so often."""
    retry_ms: int = 500
    """What failed is tried again after so long."""
    settle_ms: int = 2_000
    """Peers are told what is settled so long after the first put of which they are not told."""
    snapshot_ms: int = 1_000
    """An RG that comes here waits so long for a snapshot, and then is folded from the log; 0: not
    at all."""
    is_checked: bool = False
    """Assert that every folded event changes states only as the table allows."""


class Context:
    """Shared by the parts of one node core."""

    def __init__(self, me: Store, boot: Boot, rows: Rows, settings: Settings) -> None:
        self.me = me
        self.boot = boot
        self.settings = settings
        self.overlay = Overlay(rows)
        self.frontier = Frontier()
        self.effects = Effects()
        self.clock = Clock(0, Micros(0))
        self.map: ClusterMap = EMPTY
        self.pulls = Pulls(read_limits(self.overlay) or settings.limits)
        self.arrivals = Arrivals()
        self.claimed: dict[RgId, Fence] = {}
        """The fence of the last claim that this process sent for each RG."""
        self.left: dict[RgId, Fence] = {}
        """The fence of the last claim that was folded of each RG that was forgotten."""
        self.taken_over = 0
        """RGs that went on from another store's snapshot."""
        self._tickets = 0
        self._bodies = 0
        self._statements = 0
        self._serials = 0

    @property
    def now(self) -> int:
        """Milliseconds."""
        return self.clock.ms

    def ticket(self) -> Ticket:
        """A new one for a request to the world; odd, so that the shell may use even ones."""
        self._tickets += 2
        return self._tickets + 1

    def body_number(self) -> int:
        """A number for a small body that no body of this store ever had."""
        self._bodies += 1
        return (self.boot << 40) | self._bodies

    def statement_number(self) -> StatementNumber:
        """The next; it outlives the RG's being forgotten and followed again."""
        self._statements += 1
        return StatementNumber(self._statements)

    def serial(self) -> Serial:
        """The next; see `statement_number`."""
        self._serials += 1
        return Serial(self._serials)

    @property
    def next_serial(self) -> Serial:
        """Above all serials so far."""
        return Serial(self._serials + 1)

    def limit(self, limits: Limits) -> None:
        """Keep to these from now on, also after a restart."""
        self.pulls.limit(limits, self.now)
        self.overlay.put(keys.LIMITS_KEY, msgspec.msgpack.encode(limits))

    def append(self, event: RgEvent | MapChanged) -> Ticket:
        """Ask for an append, after everything changed so far is durable."""
        ticket = self.ticket()
        self.effects.appends.append(Append(ticket, event))
        return ticket

    def reply(self, ticket: Ticket, answer: Answer) -> None:
        """Answer a client."""
        self.effects.replies.append(Reply(ticket, answer))

    def confirm(self, ticket: Ticket, answer: Answer) -> None:
        """Answer another node once everything changed so far is durable."""
        self.effects.confirms.append(Reply(ticket, answer))

    def stop(self, error: OsdlogError) -> None:
        """The node must not go on; the first reason stands."""
        self.effects.stop = self.effects.stop or error

    def rg_partition(self, rg: RgId) -> TopicPartition:
        """The partition of an RG's events."""
        return (Topic.RG, partition_of(rg, self.map.partitions))

    def address_of(self, store: Store) -> str | None:
        """Where a store answers, if it is up."""
        osd = self.map.osd_of(store)
        return osd.address if osd is not None and osd.is_up else None


def read_limits(overlay: Overlay) -> Limits | None:
    """Those that were set for this store, if any were."""
    data = overlay.get(keys.LIMITS_KEY)
    return None if data is None else msgspec.msgpack.decode(data, type=Limits)
