"""Scrubs of real OSDs: damage on the disk is found, said, and repaired from the other copy."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from eventlog.ids import OsdId, RgId, Version
from eventlog.map_events import ReplicasSet, RgPinned
from node.osds import Cluster, OsdProcess, until
from osd.core.group import Group
from osd.core.scrubbing import Window, window
from osd.process import OsdConfig, Ready, run_osd
from osd.rocks import RocksRows

SMALL, LARGE = b"of one row", bytes(range(256)) * 1024
SETTINGS = {"calm_ms": 20, "retry_ms": 50}


class Pair(NamedTuple):
    """Two OSDs that both hold all objects of the one RG; the first is its primary."""

    cluster: Cluster
    first: OsdProcess
    second: OsdProcess


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    with ExitStack() as running:
        osds = [running.enter_context(cluster.osd(n, settings=SETTINGS)) for n in (0, 1)]
        both = RgPinned(rg=RgId(0), osds=(OsdId(0), OsdId(1)))
        cluster.change(ReplicasSet(replicas=2, min_replicas=2), both)
        for name, body in (("small", SMALL), ("large", LARGE)):
            until(partial(stored, osds[0], name, body))
        yield Pair(cluster, *osds)


def stored(osd: OsdProcess, name: str, body: bytes) -> bool:
    return osd.put(name, body).status == 201


def scrub(osd: OsdProcess, depth: str) -> Any:
    """What a scrub comes to, once what it found is repaired or never will be."""
    assert osd.request("POST", f"/scrub?depth={depth}&bytes_s=0").status == 202

    def ended() -> Any:
        report = osd.report("/scrub")
        last = report["last"].get(depth)
        return last if report["running"] is None and last and not last["waiting"] else None

    return until(ended)


def numbers(report: Any) -> tuple[int, ...]:
    return tuple(report[name] for name in ("copies", "bad", "missing", "repaired", "left"))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def test_only_a_deep_scrub_finds_other_bytes(pair: Pair) -> None:
    [path] = pair.second.files()
    flip(path)
    assert numbers(scrub(pair.second, "light")) == (2, 0, 0, 0, 0)
    found = scrub(pair.second, "deep")
    assert numbers(found) == (2, 1, 0, 1, 0)
    [damage] = found["damages"]
    assert (damage["object"], damage["fault"], damage["outcome"]) == ("large", "bad", "repaired")
    [mended] = pair.second.files()
    assert (mended.read_bytes(), mended != path) == (LARGE, True)
    assert pair.first.facts("large") == {0: "held", 1: "held"}
    assert 'osdlog_scrub_last_repaired{depth="deep"} 1' in metrics(pair.second)
    assert pair.second.report("/status")["scrub"]["last"]["deep"]["bad"] == 1


def test_a_light_scrub_finds_what_is_missing_or_short(pair: Pair) -> None:
    [path] = pair.second.files()
    path.unlink()
    assert numbers(scrub(pair.second, "light")) == (2, 0, 1, 1, 0)
    [path] = pair.second.files()
    path.write_bytes(LARGE[:-1])
    assert numbers(scrub(pair.second, "light")) == (2, 1, 0, 1, 0)


def test_rows_that_are_gone_are_found_and_repaired(pair: Pair) -> None:
    pair.second.stop()
    rows = RocksRows(pair.cluster.path / "osd-1" / "rows")
    rows.apply({key: None for key, _ in list(rows.scan(b"C"))})
    rows.close()
    pair.second.start()
    found = scrub(pair.second, "light")
    assert (found["missing"], found["repaired"], found["left"]) == (2, 2, 0)
    assert pair.first.facts("small") == {0: "held", 1: "held"}


def test_a_read_of_a_damaged_row_is_answered_by_the_other_copy(pair: Pair) -> None:
    pair.first.stop()
    rows = RocksRows(pair.cluster.path / "osd-0" / "rows")
    [(key, _)] = rows.scan(b"B")
    rows.apply({key: b"as it is.."})
    rows.close()
    pair.first.start()
    until(lambda: pair.first.get("small").status == 200)
    assert pair.first.get("small").body == SMALL
    until(lambda: pair.first.facts("small") == {0: "held", 1: "held"})


def test_damage_of_the_only_copy_is_left_and_its_bytes_stay(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as osd:
        assert osd.put("large", LARGE).status == 201
        [path] = osd.files()
        flip(path)
        found = scrub(osd, "deep")
        assert numbers(found) == (1, 1, 0, 0, 1)
        assert found["damages"][0]["outcome"] == "no good copy is left"
        assert osd.facts("large") == {0: "lost"}
        assert path.exists()
        assert numbers(scrub(osd, "light")) == (1, 1, 0, 0, 1), "it is known without reading"
        flip(path)
        assert numbers(scrub(osd, "deep")) == (1, 0, 0, 0, 0)
        until(lambda: osd.facts("large") == {0: "held"})
        assert osd.get("large").body == LARGE


def test_a_schedule_and_what_is_remembered(tmp_path: Path) -> None:
    """It scrubs by itself, remembers when after a restart, and goes on where it was."""
    cluster = Cluster(tmp_path, rgs=4)
    cluster.add(0)
    often = {"light_hours": 1e-6, "deep_hours": 0.0, "bytes_s": 0.0}
    with cluster.osd(0, rhythm=often) as osd:
        for number in range(20):
            assert osd.put(f"object {number}", SMALL).status == 201
        last = until(lambda: osd.report("/scrub")["last"].get("light"))
        assert last["by"] == "schedule"
        osd.stop()
    slow = {"light_hours": 0.0, "deep_hours": 0.0, "bytes_s": 100.0}
    with cluster.osd(0, rhythm=slow) as osd:
        assert osd.report("/scrub")["last"]["light"]["ended"] >= last["ended"]
        assert osd.request("POST", "/scrub?depth=deep").status == 202
        assert osd.request("POST", "/scrub?depth=light").status == 200, "a deep one runs"
        running = until(lambda: (r := osd.report("/scrub")["running"])["copies"] and r)
        osd.stop()
    with cluster.osd(0, rhythm=slow) as osd:
        again = osd.report("/scrub")["running"]
        assert again["began"] == running["began"]
        assert osd.request("DELETE", "/scrub").json == {"was_running": True}
        assert osd.report("/scrub")["running"] is None
        osd.stop()
    (tmp_path / "osd-0" / "scrub.json").write_text("{")
    with cluster.osd(0, rhythm=slow) as osd:
        assert osd.report("/scrub")["last"] == {}


@pytest.mark.parametrize("query", ["depth=thorough", "bytes_s=fast", "depth=light&depth=deep"])
def test_requests_that_are_refused(tmp_path: Path, query: str) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    with cluster.osd(0) as osd:
        assert osd.request("POST", f"/scrub?{query}").status == 400
        assert osd.request("PUT", "/scrub").status == 405


def metrics(osd: OsdProcess) -> str:
    return osd.request("GET", "/metrics").body.decode()


def test_the_report_is_json(pair: Pair) -> None:
    assert set(json.loads(pair.first.request("GET", "/scrub").body)) == {
        "running",
        "last",
        "due",
        "bytes_s",
    }


def test_a_scrub_that_is_stopped_keeps_no_other_waiting(pair: Pair) -> None:
    """At a byte a second each of them would wait for days."""
    osd = pair.second
    assert osd.request("POST", "/scrub?depth=deep&bytes_s=1").status == 202
    until(lambda: osd.report("/scrub")["running"]["bytes"] > 0)
    assert osd.request("DELETE", "/scrub").status == 200
    assert osd.report("/scrub")["running"] is None
    assert osd.request("POST", "/scrub?depth=light&bytes_s=1").status == 202
    until(lambda: osd.report("/scrub")["running"]["bytes"] > 0)
    assert numbers(scrub(osd, "deep")) == (2, 0, 0, 0, 0)


def test_a_scrub_of_the_schedule_that_is_stopped_waits_for_its_next_time(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0)
    hourly = {"light_hours": 1.0, "deep_hours": 0.0, "bytes_s": 1.0}
    with cluster.osd(0, rhythm=hourly) as osd:
        assert osd.put("small", SMALL).status == 201
        osd.stop()
    path = tmp_path / "osd-0" / "scrub.json"
    path.write_text('{"ended": {"light": 0.0, "deep": 0.0}}')
    with cluster.osd(0, rhythm=hourly) as osd:
        running = until(lambda: osd.report("/scrub")["running"])
        assert running["by"] == "schedule"
        assert osd.request("DELETE", "/scrub").json == {"was_running": True}
        osd.kill()
    with cluster.osd(0, rhythm=hourly) as osd:
        report = osd.report("/scrub")
        assert (report["running"], report["last"]) == (None, {})
        assert report["due"]["light"] > running["began"] + 3_599


async def test_a_mistake_at_one_rg_is_said_and_the_others_are_scrubbed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(group: Group, after: Version) -> Window:
        if group.rg == 1:
            raise RuntimeError("a mistake")
        return window(group, after)

    monkeypatch.setattr("osd.scrub.window", failing)
    cluster = Cluster(tmp_path, rgs=4)
    cluster.add(0)
    config = OsdConfig(OsdId(0), tmp_path / "osd-0", cluster.url)
    stopping, ready = asyncio.Event(), asyncio.Queue[Ready]()
    running = asyncio.create_task(run_osd(config, ready.put_nowait, stopping))
    url = f"http://{(await ready.get()).address}"
    async with aiohttp.ClientSession() as client, asyncio.timeout(60):
        for number in range(20):
            await client.put(f"{url}/objects/{number}", data=SMALL)
        await client.post(f"{url}/scrub")
        last: Any = None
        while not last:
            async with client.get(f"{url}/scrub") as said:
                last = (await said.json())["last"].get("light")
    stopping.set()
    await running
    assert last["trouble"] == "rg 1 was left out: the node failed at this; see its output"
    assert last["rgs"] == {"done": 3, "all": 4, "left_out": 1}
    assert "scrubbing failed: rg 1" in caplog.text
    assert "RuntimeError: a mistake" in caplog.text
