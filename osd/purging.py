"""Purging: no file of RocksDB has bytes of which this store says that they are gone.

Rule: before an event is appended in which this store says that copies are erased or that
nothing is left, and before it says what it holds if this process removed bodies since,
what RocksDB keeps of that RG's bodies is rewritten without those that were removed. So
whoever reads the log finds no confirmation of an erasure whose bytes still stand in a table
or a log file of this store, be it that a crash came between. It costs a rewriting of the
RG's small bodies each time, which is why an OSD must be told to.

What is not here: large bodies, which are files and are unlinked; and what the file system
or the disk itself keeps of what was overwritten.
"""

from collections.abc import Iterable

from eventlog.ids import RgId
from eventlog.map_events import MapChanged
from eventlog.rg_events import CopiesErased, ExportClosed, HoldingsStated, RgEvent
from osd import keys
from osd.rocks import RocksRows
from osd.rows import Changes

_BODY = b"B"


class Purger:
    """Of one store. `removed` is called on the loop's thread, `before` on the pump's."""

    def __init__(self, rows: RocksRows) -> None:
        self._rows = rows
        self._unpurged: set[RgId] = set()
        """RGs of which bodies were removed by this process, and may be in files yet."""

    def removed(self, changes: Changes) -> None:
        """Note what these changes, just applied, took away."""
        for key, value in changes.items():
            if value is None and key.startswith(_BODY):
                self._unpurged.add(keys.rg_of_key(key))

    def before(self, events: Iterable[RgEvent | MapChanged]) -> None:
        """Purge what these events say is gone. Raises `DiskError`."""
        for rg in sorted({rg for event in events if (rg := self._rg_told_of(event)) is not None}):
            self._unpurged.discard(rg)  # what is removed while it runs is purged the next time
            self._rows.purge(keys.prefix(_BODY, rg))

    def _rg_told_of(self, event: RgEvent | MapChanged) -> RgId | None:
        match event:
            # Whichever process removed the bytes: no memory of removals counts.
            case CopiesErased() | ExportClosed():
                return event.rg
            case HoldingsStated() if event.rg in self._unpurged:
                return event.rg
            case _:
                return None
