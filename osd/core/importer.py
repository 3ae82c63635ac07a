"""Imports: fetching the copies that this store lacks, from whoever holds them.

Rule: what to fetch is recomputed from the map and the facts, never resumed.
In the background nothing is fetched until placed has stood for `calm_ms`, what
has the fewest copies comes first, and the node's limits and what its disk
keeps for clients hold; what a client waits for is fetched at once. A fetched
copy counts only after its `ObjectsImported` is folded. A version whose doomed
copy is still to be erased here is not fetched before that. Nothing is fetched
before a claim names this store: a proof of deletion asks those whom claims name.

What is not here: which RG of the node is next (see `osd.core.agenda`), and the
limits (see `osd.core.pulls`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from eventlog.ids import Store, Version
from osd.core.effects import Fetch, Lacked, Ticket
from osd.core.inputs import Fetched, Got
from osd.disk import Copy
from projections.plans import Wanted, imports, lacking, scarcities, want

if TYPE_CHECKING:
    from osd.core.group import Group

SMALL_BYTES = 64 * 1024
"""Objects up to this size are fetched together; no more than `osd.blobs` has as bytes."""
TOGETHER_BYTES = 1024 * 1024
PASSED_OVER = 256
"""So many objects without room are passed over in one step; the walk goes on later."""


class Pull(NamedTuple):
    """A fetch that is under way."""

    wanted: tuple[Wanted, ...]
    is_background: bool

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(wanted.size for wanted in self.wanted)


class Importer:
    """The fetches of one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._under_way: dict[Ticket, Pull] = {}
        self._coming: set[Version] = set()
        self._plan: Iterator[Wanted] | None = None
        self._copies = 0
        """The plan walks what has so many counted copies, or fewer; 0: there is no plan."""
        self._ahead: Wanted | None = None
        """What the plan gave and no pull took yet."""
        self._retry_at = 0
        self.trouble = ""
        """Why the last fetch came to nothing; empty after one that went well."""
        self.is_own_trouble = False
        """Whether that is this node's disk, and no source could do better."""
        self.waits = ""
        """Why the disk takes no more in the background; empty where it does."""
        self.copied = 0
        """Bytes fetched since this process started."""
        self.objects_copied = 0

    @property
    def is_named(self) -> bool:
        """Whether the last claim names this store as placed."""
        claim = self._group.state.claim
        return claim is not None and self._context.me in claim.placed

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being fetched."""
        return not self._under_way

    @property
    def under_way(self) -> Mapping[Ticket, Pull]:
        """What is being fetched; what no client waits for has one of the node's places."""
        return self._under_way

    @property
    def coming(self) -> Collection[Version]:
        """All versions that are being fetched."""
        return self._coming

    @property
    def due(self) -> int | None:
        """When the background may go on, if only time is in its way."""
        if not self.is_wanting():
            return None
        calm_at = self._group.placed_since + self._context.settings.calm_ms
        due = max(calm_at, self._retry_at)
        return due if due > self._context.now else None

    @property
    def scarcity(self) -> int | None:
        """How few counted copies the next pull's objects may have; None: there is none now."""
        if not self._may_fetch():
            return None
        return self._copies or scarcities(self._group.state, self._context.me)[0]

    @property
    def is_urgent(self) -> bool:
        """Whether what is next may have one copy left where several are kept."""
        return self.scarcity == 1 < self._context.map.replicas

    def map_changed(self) -> None:
        """The plan is made anew from here."""
        self._drop_plan()

    def advance(self) -> None:
        """Let go of a plan that is none any more."""
        if self._copies and not self._is_called_for():
            self._drop_plan()

    def is_wanting(self) -> bool:
        """Whether this store lacks an object that it should have, and somebody has."""
        return self._group.is_placed and lacking(self._group.state, self._context.me) > 0

    def fetch_next(self) -> None:
        """One pull in the background, or the finding that what is so scarce is all under way."""
        if self._plan is None:
            self._walk(self.scarcity or 1)
        wanted, passed_over = self._take()
        if wanted:
            self._fetch(wanted, is_background=True)
        elif passed_over:
            self._wait_for_room(min(passed_over))
        else:
            self._walk_on()

    def fetch_now(self, wanted: Wanted) -> bool:
        """Fetch for a waiting client, unless it is under way; False where no holder is up."""
        if wanted.version in self._coming:
            return True
        if not self._sources(wanted):
            return False
        self._fetch((wanted,), is_background=False)
        return True

    def fetched(self, given: Fetched) -> tuple[Version, ...]:
        """Note and say what is here and still wanted; all versions that this answers."""
        pull = self._finish(given.ticket)
        wanted = {it.version: it for it in pull.wanted}
        for got in given.got:
            self._keep(wanted[got.version], got)
        self.trouble, self.is_own_trouble = given.why, given.is_own_disk
        if given.why:  # the background goes on later, with others: these may fail for ever
            self._retry_at = self._context.now + self._context.settings.retry_ms
        return tuple(wanted)

    def _keep(self, wanted: Wanted, got: Got) -> None:
        group, version = self._group, wanted.version
        entry = group.table.entry(wanted.name)
        is_wanted = (
            group.is_placed
            and entry is not None
            and entry.version == version
            and want(wanted.name, entry, self._context.me) is not None
            and not group.custody.is_leaving(version)
            and group.disk.import_of(version) is None
        )
        if not is_wanted:
            if isinstance(got.payload, str):
                self._context.effects.unlink.append(got.payload)
            return
        body = group.keep_payload(got.payload)
        group.disk.import_copy(version, Copy(wanted.name, wanted.size, wanted.sha256, body))
        group.speaker.imported(version, got.source)
        self.copied += wanted.size
        self.objects_copied += 1

    def _may_fetch(self) -> bool:
        return self._context.now >= self._retry_at and self._is_called_for()

    def _is_called_for(self) -> bool:
        """Whether the background has anything to do here, now or after a failure's pause."""
        group = self._group
        if not self.is_wanting() or not group.is_caught_up or not self.is_named:
            return False
        is_claimed = group.claims.fence is not None if group.is_primary else True
        is_calm = self._context.now - group.placed_since >= self._context.settings.calm_ms
        return is_claimed and is_calm

    def _walk(self, copies: int) -> None:
        group = self._group
        self._copies, self._ahead = copies, None
        self._plan = imports(group.state, group.table, self._context.me, copies)

    def _walk_on(self) -> None:
        """To what is less scarce, or to the beginning a little later."""
        levels = scarcities(self._group.state, self._context.me)
        copies = next((copies for copies in levels if copies > self._copies), None)
        if copies is not None:
            self._walk(copies)
        else:
            self._drop_plan()
            self._retry_at = self._context.now + self._context.settings.retry_ms

    def _drop_plan(self) -> None:
        self._plan, self._copies, self._ahead = None, 0, None

    def _take(self) -> tuple[tuple[Wanted, ...], list[int]]:
        """The next objects of the plan that can be fetched together and have room.

        Also the sizes of those before them that have none: they may hold up nobody.
        """
        pulls, chosen, size = self._context.pulls, list[Wanted](), 0
        passed_over: list[int] = []
        together = pulls.together(self._context.settings.together, self._context.now)
        while (wanted := self._next_wanted()) is not None:
            if not chosen and not pulls.fits(wanted.size):
                passed_over.append(wanted.size)
                if len(passed_over) == PASSED_OVER:
                    break
                continue
            size += wanted.size
            is_alike = not chosen or wanted.holders == chosen[0].holders
            is_small = not chosen or (wanted.size <= SMALL_BYTES and size <= TOGETHER_BYTES)
            if not (is_alike and is_small and pulls.fits(size)):
                self._ahead = wanted
                break
            chosen.append(wanted)
            if wanted.size > SMALL_BYTES or len(chosen) == together:
                break
        return tuple(chosen), passed_over

    def _next_wanted(self) -> Wanted | None:
        """What the plan has next and is wanted still: it may be older than the fold."""
        group = self._group
        assert self._plan is not None
        while (wanted := self._ahead or next(self._plan, None)) is not None:
            self._ahead = None
            entry = group.table.entry(wanted.name)
            fresh = want(wanted.name, entry, self._context.me) if entry else None
            if fresh is not None and self._is_free(fresh):
                return fresh
        return None

    def _is_free(self, wanted: Wanted) -> bool:
        group, version = self._group, wanted.version
        return (
            version not in self._coming
            and group.disk.import_of(version) is None
            and not group.custody.is_leaving(version)
            and bool(self._sources(wanted))
        )

    def _wait_for_room(self, size: int) -> None:
        room = self._context.pulls.room
        assert room is not None
        self.trouble = ""
        self.waits = (
            f"it imports {size:,} bytes more once there is room: its disk has {room.free:,} bytes "
            f"left, of which {room.import_reserve:,} are kept for what clients write"
        )
        self._retry_at = self._context.now + self._context.settings.retry_ms

    def _sources(self, wanted: Wanted) -> tuple[tuple[Store, str], ...]:
        addresses = ((store, self._context.address_of(store)) for store in wanted.holders)
        return tuple((store, address) for store, address in addresses if address is not None)

    def _fetch(self, chosen: tuple[Wanted, ...], *, is_background: bool) -> None:
        """From its holders, by turns one after the other first."""
        ticket, pull = self._context.ticket(), Pull(chosen, is_background)
        self._under_way[ticket] = pull
        self._coming.update(wanted.version for wanted in chosen)
        if is_background:
            self._context.pulls.start(pull.size, self._context.now)
            self.waits = ""
        sources = self._sources(chosen[0])
        turn = ticket // 2 % len(sources)
        lacked = tuple(Lacked(it.name, it.version, it.size, it.sha256) for it in chosen)
        order = sources[turn:] + sources[:turn]
        self._context.effects.fetches.append(Fetch(ticket, self._group.rg, lacked, order))

    def _finish(self, ticket: Ticket) -> Pull:
        pull = self._under_way.pop(ticket)
        self._coming.difference_update(wanted.version for wanted in pull.wanted)
        if pull.is_background:
            self._context.pulls.finish(pull.size, self._context.now)
        return pull
