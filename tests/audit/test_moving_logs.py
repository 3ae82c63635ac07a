"""A log that is written while it is followed: a claim is never without the map it was made by."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from audit.test_reports import found, tell_map
from audit.test_two_truths import IDENTITY, append
from eventlog.codec import encode
from eventlog.ids import Offset, Partition, Topic
from eventlog.log import Entry, TopicPartition
from eventlog.memory import MemoryLog
from folds.building import claimed, fence
from folds.mapping import CREATED, added, booted, changed
from folds.mapping import event as map_event
from projections.audit.database import reading
from projections.audit.reports import report
from projections.audit.sync import sync
from projections.cluster_map import EMPTY


class Moving(MemoryLog):
    """As a broker's log is, it is asked for the ends of partitions one after the other.

    Once, between two of them, the map changes and an RG is claimed by the new epoch.
    """

    is_moving = False

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, Offset]:
        """See `Log.end_offsets`."""
        ends: dict[TopicPartition, Offset] = {}
        for place in partitions:
            ends.update(super().end_offsets([place]))
            if self.is_moving:
                self.is_moving = False
                self._move()
        return ends

    def _move(self) -> None:
        layout = changed(EMPTY, CREATED, added(1), booted(1)).layout
        change = encode(map_event(added(2), layout=layout))
        self.append([Entry(Topic.MAP, Partition(0), b"map", change)])
        append(self, [claimed(fence(2), replicas=2)])


def test_a_claim_is_loaded_with_the_map_it_was_made_by(tmp_path: Path) -> None:
    log = Moving(IDENTITY)
    tell_map(log, CREATED, added(1), booted(1))
    sync(tmp_path / "audit", log)
    log.is_moving = True
    sync(tmp_path / "audit", log)
    with reading(tmp_path / "audit") as connection:
        [(claims,)] = connection.execute("SELECT count(*) FROM claims").fetchall()
        rows = found(report(connection, "integrity"), "claims by processes that had no right")
    assert (claims, rows) == (1, [])
