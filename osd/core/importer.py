"""Imports: fetching the copies that this store lacks, from whoever holds them.

Rule: what to fetch is recomputed from the map and the facts, never resumed.
In the background nothing is fetched until placed has stood for `calm_ms`;
what a client waits for is fetched at once. A fetched copy counts only after
its `ObjectsImported` is folded. A version whose doomed copy is still to be
erased here is not fetched before that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from eventlog.ids import Store, Version
from osd.core.effects import Fetch, Ticket
from osd.core.inputs import Fetched
from osd.disk import Copy
from projections.plans import Wanted, imports, want
from projections.states import is_complete

if TYPE_CHECKING:
    from osd.core.group import Group


class _Fetching(NamedTuple):
    ticket: Ticket
    wanted: Wanted
    is_background: bool


class Importer:
    """The fetches of one RG."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._context = group.context
        self._under_way: dict[Version, _Fetching] = {}
        self._plan: Iterator[Wanted] | None = None
        self._retry_at = 0
        self.trouble = ""
        """Why the last fetch came to nothing; empty after one that went well."""
        self.copied = 0
        """Bytes fetched since this process started."""
        self.objects_copied = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being fetched."""
        return not self._under_way

    @property
    def in_background(self) -> int:
        """Fetches under way for which no client waits; each has one of the node's places."""
        return sum(fetching.is_background for fetching in self._under_way.values())

    @property
    def due(self) -> int | None:
        """When the background may go on, if only time is in its way."""
        if not self.is_wanting():
            return None
        calm_at = self._group.placed_since + self._context.settings.calm_ms
        due = max(calm_at, self._retry_at)
        return due if due > self._context.now else None

    def map_changed(self) -> None:
        """The plan is made anew from here."""
        self._plan = None

    def advance(self) -> None:
        """Fetch in the background as far as there is room."""
        if not self._may_fetch():
            return
        limit = self._context.settings.fetches
        while self._context.fetching < limit:
            wanted = self._next_wanted()
            if wanted is None:
                return
            self._fetch(wanted, is_background=True)

    def is_wanting(self) -> bool:
        """Whether this store lacks a live object that it should have."""
        group = self._group
        return group.is_placed and not is_complete(group.state, self._context.me)

    def fetch_now(self, wanted: Wanted) -> bool:
        """Fetch for a waiting client, unless it is under way; False where no holder is up."""
        if wanted.version in self._under_way:
            return True
        return self._fetch(wanted, is_background=False)

    def fetched(self, version: Version, given: Fetched) -> None:
        """The bytes are here and their sum is right; note and say it if still wanted."""
        wanted, group = self._finish(version).wanted, self._group
        self.trouble = ""
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
            if isinstance(given.payload, str):
                self._context.effects.unlink.append(given.payload)
            return
        body = group.keep_payload(given.payload)
        group.disk.import_copy(version, Copy(wanted.name, wanted.size, wanted.sha256, body))
        group.speaker.imported(version, given.source)
        self.copied += wanted.size
        self.objects_copied += 1

    def failed(self, version: Version, why: str) -> None:
        """Nobody gave good bytes; the background tries again later."""
        self._finish(version)
        self.trouble = why
        self._plan = None
        self._retry_at = self._context.now + self._context.settings.retry_ms

    def _may_fetch(self) -> bool:
        group, now = self._group, self._context.now
        if not self.is_wanting() or not group.is_caught_up:
            self._plan = None
            return False
        is_claimed = group.claims.fence is not None if group.is_primary else True
        is_calm = now - group.placed_since >= self._context.settings.calm_ms
        return is_claimed and is_calm and now >= self._retry_at

    def _next_wanted(self) -> Wanted | None:
        group = self._group
        if self._plan is None:
            self._plan = imports(group.state, group.table, self._context.me)
        for wanted in self._plan:
            entry = group.table.entry(wanted.name)  # the plan may be older than the fold
            fresh = want(wanted.name, entry, self._context.me) if entry else None
            if fresh is not None and self._is_free(fresh):
                return fresh
        self._plan = None
        self._retry_at = self._context.now + self._context.settings.retry_ms
        return None

    def _is_free(self, wanted: Wanted) -> bool:
        group, version = self._group, wanted.version
        return (
            version not in self._under_way
            and group.disk.import_of(version) is None
            and not group.custody.is_leaving(version)
            and bool(self._sources(wanted))
        )

    def _sources(self, wanted: Wanted) -> tuple[tuple[Store, str], ...]:
        addresses = ((store, self._context.address_of(store)) for store in wanted.holders)
        return tuple((store, address) for store, address in addresses if address is not None)

    def _fetch(self, wanted: Wanted, *, is_background: bool) -> bool:
        sources = self._sources(wanted)
        if not sources:
            return False
        ticket = self._context.ticket()
        self._under_way[wanted.version] = _Fetching(ticket, wanted, is_background)
        self._context.fetching += is_background
        self._group.fetch(
            Fetch(
                ticket,
                self._group.rg,
                wanted.name,
                wanted.version,
                wanted.size,
                wanted.sha256,
                sources,
            )
        )
        return True

    def _finish(self, version: Version) -> _Fetching:
        fetching = self._under_way.pop(version)
        self._context.fetching -= fetching.is_background
        return fetching
