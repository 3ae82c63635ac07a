"""locate and history: where an object is and was, and all that was done to it."""

import json

from cli.conftest import Cluster
from eventlog.ids import Micros, Offset, Partition, Position, Topic
from eventlog.rg_events import RgEvent
from folds.building import RG, B, claimed, deleted, fence, put
from osd.cli.lives import _sentence
from projections.object_life import ObjectLife

F1, OTHER = fence(1), fence(9, by=B)


def told(*events: RgEvent) -> str:
    """The first line about "a", of these events, an hour apart from 1970 on."""
    life = ObjectLife(RG, "a")
    for offset, event in enumerate(events):
        position = Position(Topic.RG, Partition(RG), Offset(offset))
        life.happened(event, position, Micros(offset * 3_600_000_000))
    return _sentence(life)


def test_what_never_was_is_not_called_deleted() -> None:
    said = told(claimed(F1), put(OTHER, 1, "a"))
    assert said == "a of rg 5 was never stored: all its operations are void."


def test_a_void_operation_is_not_the_deletion() -> None:
    said = told(claimed(F1), put(F1, 1, "a"), deleted(F1, 2, "a"), put(OTHER, 3, "a"))
    assert said.startswith("a of rg 5 is deleted since 1970-01-01 02:00:00Z; 1 copy is still")


def test_locate(cluster: Cluster) -> None:
    cluster.client.put("lives/1", b"first")
    cluster.client.put("lives/1", b"second")
    rg = cluster.client.stat("lives/1").rg
    done = cluster.run("locate", "lives/1")
    assert done.code == 0
    assert done.lines[0].startswith("lives/1 lives, 6 bytes, at version ")
    assert done.lines[0].endswith(f" of rg {rg:x}; 1 copy counts.")
    assert done.lines[1].split() == ["store", "version", "copy", "since", "until", "note"]
    now = done.lines[2].split()
    assert (now[2], now[-1]) == ("held", "up")
    said = json.loads(cluster.run("locate", "lives/1", "--json").out)
    assert [copy["until"] is None for copy in said["copies"]][-1]
    assert {copy["status"] for copy in said["copies"]} >= {"held"}
    cluster.client.delete("lives/1")
    gone = cluster.run("locate", "lives/1")
    assert gone.code == 0
    assert " is deleted since " in gone.lines[0]


def test_history(cluster: Cluster) -> None:
    cluster.client.put("lives/2", b"first")
    cluster.client.put("lives/2", b"second")
    cluster.client.delete("lives/2")
    done = cluster.run("history", "lives/2")
    assert [line.split()[3] for line in done.lines[2:]] == ["put", "put", "delete"]
    assert [line.split()[-1] for line in done.lines[2:]] == ["superseded", "deleted", "deletion"]
    said = json.loads(cluster.run("history", "lives/2", "--json").out)
    first, second, third = said["versions"]
    assert (first["size"], second["size"], third["operation"]) == (5, 6, "delete")
    assert first["actor"] is not None
    assert first["request"] is not None
    assert len(first["sha256"]) == 64
    assert first["position"].startswith("rg/")
    assert (said["is_live"], said["version"]) == (False, third["version"])


def test_a_name_that_never_was(cluster: Cluster) -> None:
    for command in ("locate", "history"):
        done = cluster.run(command, "lives/never")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("error: the log tells of no object 'lives/never'\nhint: ")
    assert cluster.run("history", "x" * 2_000).code == 2
