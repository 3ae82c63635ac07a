"""Logs that are removed, cut short or damaged, and records that nobody knows."""

import contextlib
import http.client
import shutil

import pytest

from cli.programs import osdlog
from contracts.damaged_log import flip
from eventlog.codec import MAP_HINT
from eventlog.errors import LogCorrupt, LogMissing, OsdlogError
from eventlog.ids import Offset, Partition, Position, RgId, Topic, rg_key, rg_of
from eventlog.log import Entry
from eventlog.open import open_log
from node.osds import RGS, Cluster, OsdProcess
from osd.client import Client

RESTORE = "Restore the file from the newest copy there is; until then nothing is served from it.\n"


def test_a_log_that_is_removed_stops_who_reads_it(cluster: Cluster) -> None:
    log, away = cluster.path / "cluster.log", cluster.path / "away"
    with cluster.osd(0) as osd, Client(cluster.url, deadline_s=1) as client:
        client.put("a", b"x")
        log.rename(away)
        use(osd)
        hint = "It was removed or replaced: put the old one back, and start again."
        assert osd.ended() == (3, f"the file {log} is not the one that was opened. {hint}\n")
        with pytest.raises(OsdlogError, match="is not the one that was opened"):
            client.put("a", b"y")
        with pytest.raises(LogMissing, match="Check the address, or put the file back"):
            Client(cluster.url)
        away.rename(log)
        osd.start()
        assert osd.get("a").body == b"x"


def test_a_log_that_was_cut_short_while_nothing_ran(cluster: Cluster) -> None:
    log, copy = cluster.path / "cluster.log", cluster.path / "copy"
    fill(cluster)
    shutil.copy(log, copy)
    size = log.stat().st_size
    for left in (size - 4096, size // 2, 100):
        shutil.copy(copy, log)
        with log.open("r+b") as file:
            file.truncate(left)
        said = cluster.osd(0).refusal()
        assert said.startswith((f"the log {log} is damaged: ", f"{log} is not a log of this "))
        assert "estore the file from " in said
        done = osdlog("ls", log=cluster.url)
        assert (done.code, done.err) == (3, said_by_command(said))
    shutil.copy(copy, log)
    check(cluster)


def test_a_log_with_flipped_bytes(cluster: Cluster) -> None:
    """The damage is in a record: whoever comes to it says where, and does not pass it."""
    log, copy = cluster.path / "cluster.log", cluster.path / "copy"
    fill(cluster)
    shutil.copy(log, copy)
    flip(log, log.read_bytes().rindex(b"object-5"), 1)
    rg = rg_of("object-5", RGS)
    done = osdlog("log", "cat", log=cluster.url)
    assert done.code == 3
    assert done.err.startswith(f"error: the log {log} is damaged: the record at rg/{rg}@")
    assert done.err.endswith(f" does not match its sum\nhint: {RESTORE}")
    shutil.copy(copy, log)
    check(cluster)


def test_a_log_that_is_cut_short_under_a_client(cluster: Cluster) -> None:
    with cluster.osd(0) as osd:
        assert osd.put("a", b"x").status == 201
        with (cluster.path / "cluster.log").open("r+b") as file:
            file.truncate(8192)
        with pytest.raises(LogCorrupt) as caught:
            Client(cluster.url)
        assert f"{caught.value.hint}\n" == RESTORE
        osd.kill()
        assert cluster.osd(0).refusal().endswith(RESTORE)


def test_a_record_that_nobody_can_decode_is_passed_over_by_an_operators_word(
    cluster: Cluster,
) -> None:
    fill(cluster)
    rg = RgId(rg_of("object-5", RGS))
    with open_log(cluster.url) as log:
        [at] = log.append([Entry(Topic.RG, Partition(rg), rg_key(rg), b"no event")])
    assert stopped(cluster.osd(0)) == (
        f"the record at {at} cannot be decoded: it does not begin with C3 01 and a fingerprint. "
        "Nothing after it is folded; find out who wrote it, then see `osdlog log cat` and "
        "`osdlog log skip`.\n"
    )
    skipped = osdlog("log", "skip", at, "--reason", "a slip", log=cluster.url)
    assert (skipped.code, skipped.out) == (0, "")
    assert cluster.map().skipped.keys() == {Position(Topic.RG, Partition(rg), Offset(at.offset))}
    check(cluster)
    with cluster.osd(0) as osd:  # what came after it is folded now, also after another start
        assert osd.put("object-5", b"after").status == 201
        osd.kill()
        osd.start()
        assert osd.get("object-5").body == b"after"
    shown = osdlog("log", "cat", "--rg", f"{rg:x}", log=cluster.url)
    assert shown.code == 3
    assert [line.split()[0] for line in shown.lines if "unreadable" in line] == [str(at)]


def test_a_record_of_the_map_that_nobody_can_decode_has_its_own_way_out(cluster: Cluster) -> None:
    shutil.copy(cluster.path / "cluster.log", copy := cluster.path / "copy")
    with open_log(cluster.url) as log:
        [at] = log.append([Entry(Topic.MAP, Partition(0), b"map", b"no event")])
    shown = osdlog("map", "show", log=cluster.url)
    assert shown.code == 3
    assert shown.err.startswith(f"error: the record at {at} cannot be decoded: ")
    assert shown.err.endswith(f"\nhint: {MAP_HINT}\n")
    assert stopped(cluster.osd(0)).endswith(f". {MAP_HINT}\n")
    skipped = osdlog("log", "skip", at, log=cluster.url)
    assert skipped.code == 1
    assert skipped.err.splitlines() == [
        f"error: only a record of an RG is skipped, and {at} is none",
        f"hint: {MAP_HINT}",
    ]
    shutil.copy(copy, cluster.path / "cluster.log")
    (cluster.path / "cluster.log-turn").unlink()  # as one is told when the copy is older
    restored = osdlog("map", "show", log=cluster.url)
    assert restored.code == 0, restored.err


def use(osd: OsdProcess) -> None:
    """An OSD looks whether its log is still there when it next needs it."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        assert osd.get("a").status == 503


def fill(cluster: Cluster) -> None:
    """Objects 0 to 9, and a clean stop."""
    with cluster.osd(0) as osd:
        for number in range(10):
            assert osd.put(f"object-{number}", b"%d" % number).status == 201
        osd.stop()


def check(cluster: Cluster) -> None:
    """They are all there."""
    with cluster.osd(0) as osd:
        for number in range(10):
            assert osd.get(f"object-{number}").body == b"%d" % number


def stopped(osd: OsdProcess) -> str:
    """What an OSD says that ends by itself, before or after it served."""
    osd.spawn()
    status, said = osd.ended()
    assert status == 3, said
    return said


def said_by_command(said: str) -> str:
    """The same error as a command says it."""
    what, _, hint = said.partition(". ")
    return f"error: {what}\nhint: {hint}"
