"""Membership: the node's part in the map: booting into it, following it, leaving it.

Rule: a node acts only after its boot was read back from the map. It protests
while a monitor's word that it is down stands. What the log did not take is
said again after a while. It stops when the map says that a later
boot of its own store, or another store, has taken its place. A clean stop says
so in the map first.
"""

from enum import StrEnum
from typing import NamedTuple

import msgspec

from eventlog.digest import NO_RECORD, record_digest
from eventlog.ids import Incarnation, Offset, OsdId, RgId, Store, osd_name
from eventlog.map_events import NO_STORE, MapChange, MapChanged, OsdBooted, OsdDown, OsdUp
from osd import keys
from osd.core.context import MAP_PARTITION, Context
from osd.core.effects import Ticket
from osd.core.inputs import AppendFailed, Decoded
from osd.errors import DirectoryRefused
from projections.cluster_map import Refusal, candidates
from projections.map_fold import fold, moves_data
from projections.placement import PlacementTable, place_again, place_all

MONITOR = "osdlog monitor"
"""Authors of verdicts begin so."""


class Phase(StrEnum):
    """How far the node is in the cluster."""

    READING = "reading the map"
    BOOTING = "booting"
    RUNNING = "running"
    STOPPING = "stopping"


class MapPlace(msgspec.Struct, frozen=True, array_like=True):
    """How far this store has ever read the map; the map itself is folded anew at each start."""

    next_offset: Offset = Offset(0)
    digest: bytes = NO_RECORD
    """Of the last record read."""


class Placing(NamedTuple):
    """The stores of an RG by the map."""

    placed: tuple[Store, ...]
    acting: tuple[Store, ...]


class Rebuild(NamedTuple):
    """The explicit word that the OSD's former disk is lost, and whose it is."""

    by: str
    why: str


class Membership:
    """Follows the map for one node."""

    def __init__(self, context: Context, rebuild: Rebuild | None) -> None:
        self._context = context
        self._rebuild = rebuild
        self.phase = Phase.READING
        self.table: PlacementTable | None = None
        self.place = MapPlace()
        self._has_changed = False
        self._has_moved = False
        self._address = ""
        self._question: int | None = None
        self._ticket: Ticket | None = None
        """Of what this process says in the map, until it is folded or has failed."""
        self._retry_at = 0
        self._is_wronged = False
        """A monitor's word that this process is down is the last that the map has of it."""
        self._has_sent_boot = False
        self._replaces: Incarnation | None = None
        """Of the OSD's store when this process first looked: of that alone it takes the place."""
        self._placings: dict[tuple[OsdId, ...], Placing] = {}

    def start(self, address: str) -> None:
        """The node answers at this address; read the map, then boot into it."""
        self._address = address
        self._context.frontier.follow(MAP_PARTITION, Offset(0))
        self._question = self._context.frontier.want(MAP_PARTITION)

    def fold(self, decoded: Decoded) -> None:
        """Fold one record of the map."""
        record, event = decoded.record, decoded.event
        assert isinstance(event, MapChanged)
        if record.offset < self.place.next_offset:
            return
        before = self._context.map
        after = fold(before, event)
        self._keep_place(MapPlace(Offset(record.offset + 1), record_digest(record.value)))
        if isinstance(after, Refusal):
            self._refused(event, after)
            return
        self._context.map = after
        self._has_changed = True
        self._has_moved |= moves_data(before, after)
        self._look_at_myself()
        self._hear(event)

    def advance(self) -> None:
        """Boot once the map is read; later, take back what a monitor said wrongly."""
        if self._context.now < self._retry_at:
            return
        if self.phase is Phase.RUNNING and self._is_wronged and self._ticket is None:
            self._append(OsdUp(store=self._context.me, boot=self._context.boot), "it is alive")
        if self.phase is not Phase.READING or self._question is None:
            return
        if self._context.frontier.reached(MAP_PARTITION, self._question):
            self._boot()

    def settle(self) -> bool:
        """Derive the placement of the map as it is now; whether the map changed since.

        Maps that came and went within one batch of records cost nothing here.
        """
        has_changed, self._has_changed = self._has_changed, False
        if has_changed:
            self._placings.clear()
        if self._has_moved or (has_changed and self.table is None):
            self._has_moved = False
            self._place()
        return has_changed

    def placing(self, rg: RgId) -> Placing:
        """Where the map places the RG."""
        osds = self.table.placed(rg) if self.table is not None else ()
        return self.placing_of(osds)

    def placing_of(self, osds: tuple[OsdId, ...]) -> Placing:
        """The stores of these OSDs, and those of them that are up."""
        found = self._placings.get(osds)
        if found is None:
            known = [self._context.map.osds[osd] for osd in osds]
            placed = tuple(osd.store for osd in known if osd.store is not None)
            acting = tuple(osd.store for osd in known if osd.store is not None and osd.is_up)
            found = self._placings[osds] = Placing(placed, acting)
        return found

    def append_failed(self, failed: AppendFailed) -> None:
        """What was said may or may not be in the map: after a while look, then say it again."""
        if self._ticket not in failed.tickets:
            return
        self._ticket = None
        self._retry_at = self._context.now + self._context.settings.retry_ms
        if self.phase is Phase.BOOTING:
            self.phase = Phase.READING
            self._question = self._context.frontier.want(MAP_PARTITION)

    def leave(self) -> None:
        """Say in the map that this process stops."""
        if self.phase is Phase.RUNNING:
            self.phase = Phase.STOPPING
            down = OsdDown(store=self._context.me, boot=self._context.boot, why="stopped")
            self._append(down, "clean stop")

    def _hear(self, event: MapChanged) -> None:
        """A monitor's verdict that this process is down is wrong; an operator's word stands."""
        mine = (self._context.me, self._context.boot)
        for change in event.changes:
            if isinstance(change, OsdBooted | OsdUp | OsdDown):
                if (change.store, change.boot) != mine:
                    continue
                is_verdict = event.author.startswith(MONITOR)
                self._is_wronged = is_verdict and isinstance(change, OsdDown)
                self._ticket = None

    def _boot(self) -> None:
        me, mine = self._context.me, self._context.map.osds.get(self._context.me.osd)
        is_replacing = mine is not None and mine.store not in (None, me)
        if mine is not None and is_replacing and self._rebuild is None:
            self._context.stop(
                DirectoryRefused(
                    f"{osd_name(me.osd)} is in the map with {mine.store}, "
                    f"but this directory is a new store, {me}",
                    "If the old disk is only not mounted, mount it; if it is lost, start with "
                    "--rebuild, which retires the old store.",
                )
            )
            return
        self.phase = Phase.BOOTING
        self._has_sent_boot = True
        if self._replaces is None:
            self._replaces = mine.store.incarnation if mine and mine.store else NO_STORE
        booted = OsdBooted(
            store=me,
            boot=self._context.boot,
            address=self._address,
            replaces=self._replaces,
        )
        word = self._rebuild if is_replacing else None  # it is who retires the former store
        self._append(booted, word.why if word else "boot", word.by if word else None)

    def _append(self, change: MapChange, reason: str, author: str | None = None) -> None:
        self._ticket = self._context.append(
            MapChanged(
                time=self._context.clock.micros,
                author=author or osd_name(self._context.me.osd),
                reason=reason,
                layout=None,
                changes=(change,),
            )
        )

    def _refused(self, event: MapChanged, refusal: Refusal) -> None:
        """A boot of this very process that is void ends it."""
        for change in event.changes:
            if (
                isinstance(change, OsdBooted)
                and (change.store, change.boot) == (self._context.me, self._context.boot)
                and self.phase is Phase.BOOTING
            ):
                self._context.stop(DirectoryRefused(refusal.why, refusal.hint))

    def _look_at_myself(self) -> None:
        me, boot = self._context.me, self._context.boot
        mine = self._context.map.osds.get(me.osd)
        if me in self._context.map.retired:
            why = self._context.map.retired[me].why
            self._context.stop(
                DirectoryRefused(
                    f"{me} was retired: {why}",
                    "This disk may not return; start on an empty directory with --rebuild.",
                )
            )
        elif mine is not None and mine.store == me and mine.boot > boot:
            self._context.stop(
                DirectoryRefused(
                    f"boot {mine.boot} of {me} has started since this process, boot {boot}",
                    "Another process uses a copy of this data directory: keep one, wipe the other.",
                )
            )
        elif mine is not None and (mine.store, mine.boot) == (me, boot):
            # A clone of this directory could have raised the same boot: the address tells.
            is_own = self._has_sent_boot and mine.address == self._address
            if is_own and self.phase in (Phase.READING, Phase.BOOTING):
                self.phase = Phase.RUNNING

    def _place(self) -> None:
        now = self._context.map
        chosen, pins = candidates(now), dict(now.pins)
        if self.table is None:
            self.table = place_all(chosen, now.rg_count, now.replicas, pins)
        else:
            self.table = place_again(self.table, chosen, now.replicas, pins)

    def _keep_place(self, place: MapPlace) -> None:
        self.place = place
        self._context.overlay.put(keys.MAP_KEY, msgspec.msgpack.encode(place))
