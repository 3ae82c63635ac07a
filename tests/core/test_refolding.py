"""Rows that another program folded are folded anew, as far as they reached, at a start."""

import msgspec
import pytest
from msgspec.structs import replace

from core.test_handover import busy_cluster
from eventlog.codec import Decoder, Event, encode
from eventlog.digest import record_digest
from eventlog.errors import BadRecord, LogReplaced, UnknownSchema
from eventlog.ids import Epoch, Offset, OsdId, Partition, RgId, Topic, rg_key
from eventlog.log import Entry, Record
from eventlog.rg_events import RgClaimed
from osd import keys
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.refolding import refold_foreign
from osd.rg_table import Place, RgTable, header_of_none, read_header


def make_foreign(rows: MemoryRows) -> list[bytes]:
    """As if another program had folded: another stamp, a state and objects nobody can read."""
    headers = [key for key, _ in rows.scan(b"H")]
    for key in headers:
        data = rows.get(key)
        assert data is not None
        _, place, *_ = msgspec.msgpack.decode(data)
        rows.apply({key: msgspec.msgpack.encode(["format 1", place, {"what": "else"}, 7])})
    rows.apply({key: b"?" for key, _ in rows.scan(b"E")})
    rows.apply({b"V" + headers[0][1:] + bytes(8): b"nobody"})
    rows.sync()
    return headers


def folded(rows: MemoryRows) -> list[tuple[bytes, bytes]]:
    return [pair for kind in b"HEVFQR" for pair in rows.scan(bytes([kind]))]


def test_they_are_what_they_were() -> None:
    cluster = busy_cluster()
    for osd in (1, 2):
        cluster.kill(OsdId(osd), None)
        rows = cluster.machines[OsdId(osd)].rows
        before = folded(rows)
        headers = make_foreign(rows)
        assert folded(rows) != before
        assert refold_foreign(rows, cluster.log) == [keys.rg_of_key(key) for key in headers]
        assert folded(rows) == before
        assert refold_foreign(rows, cluster.log) == []


def test_a_node_on_such_rows_starts_and_moves_nothing() -> None:
    cluster = busy_cluster()
    cluster.kill(OsdId(1), None)
    make_foreign(cluster.machines[OsdId(1)].rows)
    copied = cluster.copied
    cluster.start(OsdId(1))
    assert cluster.settle()
    assert OsdId(1) in {machine.store.osd for machine in cluster.alive()}
    assert cluster.copied == copied
    for rg in cluster.reference.rgs.values():
        assert rg.state.live == sum(ledger.held for ledger in rg.state.ledgers.values())


def test_rows_of_another_log_are_refused() -> None:
    cluster = busy_cluster()
    cluster.kill(OsdId(1), None)
    rows = cluster.machines[OsdId(1)].rows
    make_foreign(rows)
    with pytest.raises(LogReplaced):
        refold_foreign(rows, busy_cluster(rgs=3).log)


def test_a_header_that_tells_no_place_is_named() -> None:
    cluster = busy_cluster()
    cluster.kill(OsdId(1), None)
    rows = cluster.machines[OsdId(1)].rows
    [(key, _), *_] = rows.scan(b"H")
    rows.apply({key: b"\xc1"})
    with pytest.raises(BadRecord, match="cannot be told") as caught:
        refold_foreign(rows, cluster.log)
    assert "--rebuild" in caught.value.hint
    data = rows.get(key)
    assert data is not None
    assert read_header(data) is None


def test_a_refold_that_was_cut_off_begins_again() -> None:
    cluster = busy_cluster()
    cluster.kill(OsdId(1), None)
    rows = cluster.machines[OsdId(1)].rows
    before = folded(rows)
    make_foreign(rows)
    rows.apply({key: None for key, _ in list(rows.scan(b"E"))[::2]})
    refold_foreign(rows, cluster.log)
    assert folded(rows) == before
    assert all(RgTable(Overlay(rows), keys.rg_of_key(key)).state for key, _ in rows.scan(b"H"))


def test_nothing_is_folded_past_a_claim_under_unknown_rules() -> None:
    """What another program made of what follows is not for this one to say."""
    cluster = busy_cluster(rgs=1)
    cluster.kill(OsdId(1), None)
    rows = cluster.machines[OsdId(1)].rows
    make_foreign(rows)
    claims = [told.event for told in cluster.told if isinstance(told.event, RgClaimed)]
    fence = replace(claims[-1].fence, epoch=Epoch(999))
    entry = Entry(
        Topic.RG, Partition(0), rg_key(RgId(0)), encode(replace(claims[-1], fence=fence, rules=2))
    )
    (position,) = cluster.log.append([entry])
    header = keys.prefix(b"H", RgId(0))
    place = Place(Offset(position.offset + 1), record_digest(entry.value), position.offset)
    rows.apply({header: header_of_none(place)})
    with pytest.raises(BadRecord, match="under rule set 2, unknown to this program"):
        refold_foreign(rows, cluster.log)


def test_who_goes_back_to_the_program_that_folded_them_folds_anew_what_was_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As where an older program was tried, and cannot read what the newer one wrote."""
    cluster = busy_cluster()
    cluster.kill(OsdId(1), None)
    rows = cluster.machines[OsdId(1)].rows
    before = folded(rows)
    known = Decoder.decode

    def decode(self: Decoder, record: Record) -> Event:
        if record.topic is Topic.RG and record.offset > 5:
            raise UnknownSchema("a newer program wrote it", "Install that version.")
        return known(self, record)

    with monkeypatch.context() as older:
        older.setattr("osd.rg_table.fold_stamp", lambda: "an older program")
        older.setattr(Decoder, "decode", decode)
        with pytest.raises(UnknownSchema):
            refold_foreign(rows, cluster.log)
    refold_foreign(rows, cluster.log)
    assert folded(rows) == before
