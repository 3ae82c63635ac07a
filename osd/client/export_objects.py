"""Objects of an export: what its log knows of them; their bytes are not in it.

Rule: what is said is what the OSDs would say that had folded all of that log.
"""

from eventlog.ids import checked_name, rg_of
from eventlog.state_file import StateFile
from osd.client.answers import Listed, Stat
from osd.client.map_reader import MapReader
from osd.client.objects import stat_of
from osd.client.past import fold_present
from osd.client.transport import not_there
from osd.http.answers import object_headers


def stat(log: StateFile, name: str) -> Stat:
    """As `AsyncClient.stat`."""
    rg = rg_of(checked_name(name), MapReader(log).refresh().rg_count)
    folded = fold_present(log, [rg]).get(rg)
    entry = folded.entry(name) if folded is not None else None
    if entry is None or entry.body is None:
        raise not_there(name)
    return stat_of(name, object_headers(rg, entry))


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
        for rg, folded in fold_present(log).items()
        for name, entry in folded.names(prefix=prefix)
        if entry.body is not None
    ]
    return sorted(found, key=lambda row: row.name.encode())
