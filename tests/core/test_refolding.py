"""Rows that another program folded are folded anew, as far as they reached, at a start."""

import msgspec
import pytest

from core.test_handover import busy_cluster
from eventlog.errors import BadRecord, LogReplaced
from eventlog.ids import OsdId
from osd import keys
from osd.memory_rows import MemoryRows
from osd.overlay import Overlay
from osd.refolding import refold_foreign
from osd.rg_table import RgTable, read_header


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
