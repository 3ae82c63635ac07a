"""Snapshots between nodes: made of the rows of one, believed by another after a look at the log.

Rule: what is given out is what is folded at that moment, with its position.
What came is believed only if its own sums are right, this program's fold made
it, and the log has its last record at its place: else a store that followed
another log, or has a broken disk, could hand its state on.
"""

from eventlog.digest import record_digest
from eventlog.errors import LogReplaced
from eventlog.ids import RgId, Topic, partition_of
from eventlog.log import Log
from osd.rg_table import RgTable, fold_stamp
from projections.snapshots import Doubt, Reach, Snapshot, read_snapshot, write_snapshot

MAX_OBJECTS = 100_000
"""Of an RG with more no snapshot is given out: making it would keep requests waiting."""


def snapshot_of(table: RgTable) -> bytes | None:
    """What is folded of the RG here; None where that is nothing, or too much."""
    place, state = table.place, table.state
    if place.last_offset is None or state.live + state.tombstones > MAX_OBJECTS:
        return None
    reach = Reach(place.next_offset, place.last_offset, place.digest)
    return write_snapshot(fold_stamp(), table.rg, reach, table.content())


def believed(data: bytes, rg: RgId, log: Log) -> Snapshot | Doubt:
    """The snapshot, if there is no doubt about it. Raises `LogUnavailable`."""
    found = read_snapshot(data, fold_stamp(), rg)
    if isinstance(found, Doubt):
        return found
    return found if is_in_log(found, log) else Doubt("the log does not have its last record")


def is_in_log(snapshot: Snapshot, log: Log) -> bool:
    """Whether the record that it names as its last is there."""
    reach = snapshot.reach
    partition = partition_of(snapshot.rg, log.identity.partitions)
    if not 0 <= reach.last_offset < reach.next_offset:
        return False
    try:
        records = log.read(Topic.RG, partition, reach.last_offset, 1)
    except LogReplaced:
        return False
    return bool(records) and record_digest(records[0].value) == reach.digest
