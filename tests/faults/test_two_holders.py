"""Objects with two good copies, of which one goes bad: the other is fetched, and never doomed."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from eventlog.codec import Decoder, Event
from eventlog.ids import Offset, OsdId, Partition, RgId, Topic
from eventlog.map_events import ReplicasSet, RgPinned
from eventlog.open import open_log
from eventlog.rg_events import CopiesLost, ObjectsImported
from node.osds import Cluster, OsdProcess, until
from osd.client import Client

BODY = bytes(range(256)) * 1024
SETTINGS = {"calm_ms": 20, "retry_ms": 50, "hint_ms": 100}
ONLY_RG = RgId(0)


class Pair(NamedTuple):
    """Two OSDs that both hold all objects of the one RG; the first is its primary.

    The map asks for two copies, which no command does yet: one is put, the other imported.
    """

    cluster: Cluster
    first: OsdProcess
    second: OsdProcess

    def put(self, name: str, body: bytes = BODY) -> None:
        assert until(lambda: self.first.put(name, body).status == 201)
        until(lambda: self.first.facts(name) == {0: "held", 1: "held"})

    def place_on(self, osd: int) -> None:
        """One copy again, there."""
        pin = RgPinned(rg=ONLY_RG, osds=(OsdId(osd),))
        self.cluster.change(pin, ReplicasSet(replicas=1, min_replicas=1))


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    cluster = Cluster(tmp_path, rgs=1)
    cluster.add(0, 1)
    with ExitStack() as running:
        first, second = (
            running.enter_context(cluster.osd(osd, settings=SETTINGS)) for osd in (0, 1)
        )
        both = RgPinned(rg=ONLY_RG, osds=(OsdId(0), OsdId(1)))
        cluster.change(ReplicasSet(replicas=2, min_replicas=1), both)
        yield Pair(cluster, first, second)


def damage(osd: OsdProcess) -> Path:
    """Flip a bit of its one large body."""
    [path] = osd.files()
    with path.open("r+b") as file:
        file.seek(len(BODY) // 2)
        [byte] = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    return path


def test_the_good_copy_is_not_doomed_while_the_primarys_own_is_missing(pair: Pair) -> None:
    """By the log its own copy counts; only its disk knows better, and is asked first."""
    pair.put("x")
    pair.first.kill()
    pair.second.kill()
    [path] = pair.first.files()
    path.unlink()
    pair.place_on(0)
    pair.second.start()
    pair.first.start()
    until(lambda: pair.first.facts("x") == {0: "held"})
    assert pair.first.get("x").body == BODY


def test_a_lost_copy_is_replaced_by_a_checked_one(pair: Pair) -> None:
    """The damaged bytes stay until those of the other holder are here, and then they go."""
    pair.put("x")
    damaged = damage(pair.first)
    with Client(pair.cluster.url) as client:  # which asks again where a body breaks off
        assert client.get("x") == BODY
    until(lambda: pair.first.facts("x") == {0: "held", 1: "held"})
    [path] = pair.first.files()
    assert path != damaged
    said = [event for event in events(pair.cluster) if isinstance(event, CopiesLost)]
    assert [(event.store.osd, event.gone) for event in said] == [(0, False)]
    pair.first.kill()
    pair.first.start()
    assert pair.first.get("x").body == BODY


@pytest.mark.parametrize("trouble", ["damaged", "dead"])
def test_where_the_first_source_fails_the_second_serves(pair: Pair, trouble: str) -> None:
    pair.put("x")
    pair.cluster.add(2)
    if trouble == "dead":
        pair.first.kill()
    else:
        damage(pair.first)
    with pair.cluster.osd(2, settings=SETTINGS) as third:
        pair.place_on(2)
        until(lambda: third.facts("x").get(2) == "held")
        assert third.get("x").body == BODY
        last = [event for event in events(pair.cluster) if isinstance(event, ObjectsImported)][-1]
        assert last.source is not None
        assert (last.store.osd, last.source.osd) == (2, 1)
        if trouble == "dead":
            pair.first.start()
        until(lambda: third.facts("x") == {2: "held"})
        until(lambda: pair.first.files() == pair.second.files() == [])


def events(cluster: Cluster) -> list[Event]:
    """All that was said of the one RG."""
    with open_log(cluster.url) as log:
        return [Decoder(log).decode(r) for r in log.read(Topic.RG, Partition(0), Offset(0))]
