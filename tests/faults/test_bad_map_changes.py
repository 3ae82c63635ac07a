"""Changes that contradict the map: refused by name, and neither map nor data are touched."""

import subprocess
from collections.abc import Sequence

import pytest

from cli.programs import COMMAND, environment, osdlog
from eventlog.ids import WEIGHT_ONE, Boot, Incarnation, Layout, OsdId, RgId, Store
from eventlog.map_events import (
    ClusterCreated,
    EpochBumped,
    MapChange,
    OsdAdded,
    OsdDown,
    OsdIn,
    OsdLeaving,
    OsdMoved,
    OsdOut,
    OsdReweighted,
    OsdUp,
    ReplicasSet,
    RgPinned,
    RgUnpinned,
    RulesRaised,
    StoreWrittenOff,
)
from faults.conftest import Served
from osd.errors import Refused

HERE, NOWHERE = OsdId(0), OsdId(7)
STRANGER = Store(HERE, Incarnation(1))
MOVED = OsdMoved(osd=HERE, host="elsewhere", rack="rack")
CREATED = ClusterCreated(
    cluster="another",
    rg_count=8,
    partitions=8,
    retention="unlimited",
    cleanup="none",
    replicas=1,
    min_replicas=1,
    rules=1,
)
CONTRADICTIONS: dict[str, MapChange] = {
    "the log already has cluster": CREATED,
    "osd.0 is in the map already": OsdAdded(osd=HERE, weight=WEIGHT_ONE, host="host", rack="rack"),
    "a weight is more than 0": OsdAdded(osd=NOWHERE, weight=0, host="host", rack="rack"),
    "osd.7 is not in the map": OsdLeaving(osd=NOWHERE),
    "a weight is 0 to 65,536": OsdReweighted(osd=HERE, weight=-1),
    "osd.0 is of that weight already": OsdReweighted(osd=HERE, weight=WEIGHT_ONE),
    "osd.0 needs a host and a rack": OsdMoved(osd=HERE, host="", rack="rack"),
    "osd.0 is in already": OsdIn(osd=HERE),
    "the verdict means boot 1 of osd.0/0000000000000001": OsdUp(store=STRANGER, boot=Boot(1)),
    "the verdict means boot 9 of osd.0/0000000000000001": OsdDown(
        store=STRANGER, boot=Boot(9), why="not seen"
    ),
    "osd.0/0000000000000001 is no present store": StoreWrittenOff(
        store=STRANGER, by="test", why="lost"
    ),
    "there is no rg 63": RgPinned(rg=RgId(0x63), osds=(HERE,)),
    "a pin names 1 to 1 different OSDs": RgPinned(rg=RgId(1), osds=(HERE, HERE)),
    "rg 1 is not pinned": RgUnpinned(rg=RgId(1)),
    "replicas 9 with min_replicas 1": ReplicasSet(replicas=9, min_replicas=1),
    "the rule set is 1 already": RulesRaised(rules=1),
    "the epoch is ": EpochBumped(to=1),
    "no epoch is above 9,007,199,254,740,992": EpochBumped(to=2**62),
}
"""How the refusal begins, and the change."""


@pytest.mark.parametrize(("what", "change"), CONTRADICTIONS.items(), ids=CONTRADICTIONS)
def test_a_change_that_contradicts_the_map(served: Served, what: str, change: MapChange) -> None:
    """Also where it comes second, after one that would do: all of it is refused."""
    before = served.client.map()
    for changes in ([change], [MOVED, change]):
        with pytest.raises(Refused) as caught:
            served.client.change_map(changes, layout=before.layout)
        assert caught.value.what.startswith(what)
        assert caught.value.hint
    assert served.client.map() == before
    assert served.client.get("there") == b"all along"


@pytest.mark.parametrize("layout", [None, Layout(0), Layout(2**40)])
def test_a_change_for_another_layout(served: Served, layout: Layout | None) -> None:
    before = served.client.map()
    with pytest.raises(Refused) as caught:
        served.client.change_map([OsdOut(osd=HERE)], layout=layout)
    named = f"made for layout {layout}, the map is at {before.layout}"
    assert caught.value.what in (
        f"the change was {named}",
        "the change does not name the layout it was made for",
    )
    assert served.client.map() == before


def test_a_number_that_no_map_can_have(served: Served) -> None:
    """What says so is a line or two, not the schema that it does not fit."""
    done = osdlog("map", "bump", "--to", 10**20, log=served.cluster.url)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: invalid value for '--to': ")
    assert len(done.err) < 400


def test_of_changes_made_at_once_for_one_layout_one_is_accepted(served: Served) -> None:
    """Each is a process of its own, and all saw the same map."""
    layout = served.client.map().layout
    weights = ("0.25", "0.5", "0.75", "2")
    ended = at_once([("--weight", f"0:{weight}") for weight in weights], layout, served)
    [winner] = [weight for weight, (code, _) in zip(weights, ended, strict=True) if code == 0]
    after = served.client.map()
    assert after.layout == layout + 1
    assert after.osds[HERE].weight == int(float(winner) * WEIGHT_ONE)
    for code, said in ended:
        refused = f"error: the change was made for layout {layout}, the map is at {layout + 1}\n"
        assert code == 0 or (code, said.partition("hint: ")[0]) == (1, refused)
    served.client.change_map([OsdReweighted(osd=HERE, weight=WEIGHT_ONE)], layout=after.layout)


def at_once(
    options: Sequence[Sequence[str]], layout: Layout, served: Served
) -> list[tuple[int, str]]:
    """Exit code, and what it said, of one `map apply` for each of these."""
    processes = [
        subprocess.Popen(
            [*COMMAND, "map", "apply", "--layout", str(layout), *words],
            stderr=subprocess.PIPE,
            env=environment(served.cluster.url),
        )
        for words in options
    ]
    said = [process.communicate(timeout=60)[1].decode() for process in processes]
    return [(p.returncode, words) for p, words in zip(processes, said, strict=True)]


def test_a_skip_names_a_record_that_cannot_be_decoded(served: Served) -> None:
    for position, what in {
        "map/0@0": "error: only a record of an RG is skipped, and map/0@0 is none\nhint: Who is",
        "rg/0@99999": "error: there is no record at rg/0@99999\nhint: `osdlog log cat` shows",
    }.items():
        done = osdlog("log", "skip", position, log=served.cluster.url)
        assert done.code == 1
        assert done.err.startswith(what)
    assert not served.client.map().skipped
