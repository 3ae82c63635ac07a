"""Refolding: rows that another program's fold made are folded anew before a node starts.

Rule: an RG whose rows have another stamp than this program's folds is never
read, nor is its disk judged by it: its rows are thrown away and made again from
the log, exactly as far as they reached, so that they fit what this disk has.
Before the first goes, until all are made, its header says that they are not:
to every program, also to the one that wrote them. How far it reached is the one
thing that every header tells. An RG is not folded past a claim under a rule set
that this program does not know.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256

from eventlog.codec import Decoder
from eventlog.digest import record_digest
from eventlog.errors import BadRecord, LogReplaced
from eventlog.ids import Offset, Partition, Position, RgId, Topic, partition_of, rg_name
from eventlog.log import Log, Record
from eventlog.map_events import MapChanged
from osd import keys
from osd.overlay import Overlay
from osd.rg_table import Place, RgTable, header_of_none, read_header, read_place
from osd.rows import Rows
from projections.map_fold import skipped_records
from projections.replica_group import fold, has_unknown_rules, unknown_rules

FOLDED_KINDS = b"EVFQR"
"""Rows that say what the log says; see `osd.keys`."""
_BATCH = 2_000


def refold_foreign(rows: Rows, log: Log) -> list[RgId]:
    """Fold anew what another program folded; raises `BadRecord` and `LogReplaced`."""
    foreign = [
        (keys.rg_of_key(key), data) for key, data in rows.scan(b"H") if read_header(data) is None
    ]
    if not foreign:
        return []
    skipped = _skipped(log)
    for rg, data in foreign:
        place = read_place(data)
        if place is None:
            raise BadRecord(
                f"how far {rg_name(rg)} is folded on this disk cannot be told",
                "Start the OSD with the program that wrote it, or on an empty directory "
                "with --rebuild.",
            )
        _refold(rows, log, rg, place, skipped)
    return [rg for rg, _ in foreign]


def _refold(
    rows: Rows, log: Log, rg: RgId, place: Place, skipped: Mapping[Position, bytes]
) -> None:
    _forget(rows, rg, place)
    overlay, decoder = Overlay(rows), Decoder(log)
    table = RgTable(overlay, rg, is_anew=True)
    for record in _records(log, rg, place.next_offset):
        if skipped.get(record.position) == sha256(record.value).digest():
            continue
        event = decoder.decode(record)
        assert not isinstance(event, MapChanged), "the map's events are in their own topic"
        if event.rg != rg:
            continue
        if has_unknown_rules(event):
            raise unknown_rules(record.position, event.rules)
        folded = fold(table.state, table, event, record.offset)
        digest = record_digest(record.value)
        table.keep(
            folded.draft, folded.state, Place(Offset(record.offset + 1), digest, record.offset)
        )
        if record.offset % _BATCH == 0:
            rows.apply(overlay.take())
    if table.place != place:
        raise LogReplaced(
            f"the log has another record for {rg_name(rg)} than the last that this disk has read",
            "Check the log's address, or put the newer log back.",
        )
    table.keep_header()
    rows.apply(overlay.take())
    rows.sync()


def _forget(rows: Rows, rg: RgId, place: Place) -> None:
    rows.apply({keys.prefix(b"H", rg): header_of_none(place)})
    for kind in FOLDED_KINDS:
        rows.apply({key: None for key, _ in rows.scan(keys.prefix(bytes([kind]), rg))})


def _records(log: Log, rg: RgId, end: Offset) -> Iterator[Record]:
    partition, offset = partition_of(rg, log.identity.partitions), Offset(0)
    while offset < end:
        records = log.read(Topic.RG, partition, offset, min(_BATCH, end - offset))
        if not records:
            return
        yield from records
        offset = Offset(records[-1].offset + 1)


def _skipped(log: Log) -> dict[Position, bytes]:
    decoder, offset = Decoder(log), Offset(0)
    found: dict[Position, bytes] = {}
    while records := log.read(Topic.MAP, Partition(0), offset):
        for record in records:
            event = decoder.decode(record)
            assert isinstance(event, MapChanged), "the codec knows no other event of the map"
            for skip in skipped_records(event):
                position = Position(skip.topic, skip.partition, Offset(skip.offset))
                found[position] = skip.sha256
        offset = Offset(records[-1].offset + 1)
    return found
