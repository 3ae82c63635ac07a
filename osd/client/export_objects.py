"""Objects of an export: what its log knows of them; their bytes are not in it.

Rule: what is said is what the OSDs would say that had folded all of that log.
"""

import time
from collections.abc import Collection
from email.utils import formatdate

from eventlog.ids import Micros, RgId, checked_name, osd_name, rg_of
from eventlog.state_file import StateFile
from osd.client.answers import Listed, Stat
from osd.client.map_reader import MapReader
from osd.client.moments import moment_of
from osd.client.past import fold_past
from osd.client.transport import not_there
from projections.bulk.fold import BulkRg

_UNKNOWN_TYPE = "application/octet-stream"


def stat(log: StateFile, name: str) -> Stat:
    """As `AsyncClient.stat`."""
    rg = rg_of(checked_name(name), MapReader(log).refresh().rg_count)
    folded = _folded(log, [rg]).get(rg)
    entry = folded.entry(name) if folded is not None else None
    if entry is None or entry.body is None:
        raise not_there(name)
    body = entry.body
    return Stat(
        name=name,
        rg=rg,
        version=entry.version,
        etag=f'"{rg}.{entry.version}"',
        size=body.size,
        sha256=body.sha256.hex(),
        media_type=body.media_type or _UNKNOWN_TYPE,
        metadata={key.lower(): value for key, value in body.metadata.items()},
        modified=formatdate(entry.time // 1_000_000, usegmt=True),
        held_by=tuple(osd_name(store.osd) for store in sorted(entry.holders())),
    )


def listed(log: StateFile, prefix: str) -> list[Listed]:
    """As `AsyncClient.list`."""
    if prefix:
        checked_name(prefix)
    found = [
        Listed(
            name=name,
            rg=rg,
            version=entry.version,
            size=entry.body.size,
            sha256=entry.body.sha256.hex(),
            copies=len(entry.holders()),
        )
        for rg, folded in _folded(log).items()
        for name, entry in folded.names(prefix=prefix)
        if entry.body is not None
    ]
    return sorted(found, key=lambda row: row.name.encode())


def _folded(log: StateFile, only: Collection[RgId] | None = None) -> dict[RgId, BulkRg]:
    skipped = MapReader(log).refresh().skipped
    end = moment_of(log, None, Micros(time.time_ns() // 1_000))
    return fold_past(log, end, skipped, only)
