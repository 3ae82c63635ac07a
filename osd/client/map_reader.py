"""The map, read from the log: a client asks nobody else who is in the cluster.

Rule: the map is folded record by record as the OSDs fold it. `refresh` reads
on to the log's present end; between refreshes the map stands still, and an
OSD that knows a newer one says so.

What is not here: where names are placed (see `osd.client.placing`).
"""

import threading

from eventlog.codec import Decoder
from eventlog.ids import Micros, Offset, OsdId, Partition, Topic
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged, OsdBooted, OsdUp
from osd.client.answers import MapRecord
from osd.client.history_cut import naming_cuts
from osd.errors import Unavailable
from osd.lately import MANY, Lately
from projections.cluster_map import EMPTY, ClusterMap, Refusal
from projections.map_departures import has_started
from projections.map_fold import fold

PARTITION = Partition(0)


class MapReader:
    """The map as far as it was read. May be refreshed from several threads."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._decoder = Decoder(log)
        self._lock = threading.Lock()
        self._next_offset = Offset(0)
        self.map: ClusterMap = EMPTY
        self._read: list[tuple[MapRecord, ClusterMap]] = []
        """By a call that did not come to the end: the next one tells of it."""
        self.comings = Lately()
        """When OSDs came up, by a boot or a word."""

    def refresh(self) -> ClusterMap:
        """Read on to the end; raises `LogError` and `RecordError`."""
        self.maps()
        return self.map

    def maps(self) -> list[tuple[MapRecord, ClusterMap]]:
        """What was not read yet, event by event, each with the map after it."""
        with self._lock, naming_cuts(self._log, [(Topic.MAP, PARTITION)]):
            while records := self._log.read(Topic.MAP, PARTITION, self._next_offset):
                for record in records:  # one by one: what is folded is told, also if one fails
                    self._read.append((self._fold(record), self.map))
            found, self._read = self._read, []
        return found

    def _fold(self, record: Record) -> MapRecord:
        event = self._decoder.decode(record)
        assert isinstance(event, MapChanged), "the codec knows no other event of the map"
        after = fold(self.map, event)
        refusal = after if isinstance(after, Refusal) else None
        if not isinstance(after, Refusal):
            self.map = after
            self._note_comings(event, min(event.time, record.timestamp))
        self._next_offset = Offset(record.offset + 1)
        return MapRecord(record.offset, event, self.map.epoch, refusal, record.timestamp)

    def _note_comings(self, event: MapChanged, at: Micros) -> None:
        """`at`: an author's clock may be ahead, and a copied log may say when it was copied."""
        for change in event.changes:
            if isinstance(change, OsdUp) or (isinstance(change, OsdBooted) and has_started(change)):
                self.comings.note(change.store.osd, at / 1_000_000)


def require_cluster(log: Log, cluster_map: ClusterMap) -> ClusterMap:
    """The map, or `Unavailable` where no cluster was made in this log yet."""
    if not cluster_map.cluster:
        raise Unavailable(
            f"the log {log.url} has no cluster yet", "Make one with `osdlog init` or `osdlog up`."
        )
    return cluster_map


def many_comings(reader: MapReader, now: float) -> dict[OsdId, int]:
    """How often those OSDs lately came up that did so often."""
    found = {osd: reader.comings.times(osd, now) for osd in sorted(reader.map.osds)}
    return {osd: times for osd, times in found.items() if times >= MANY}
