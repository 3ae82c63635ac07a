"""Boots in the map's fold: whose store an OSD's is from then on, and who is retired for it."""

import pytest
from msgspec.structs import replace

from eventlog.ids import OsdId
from eventlog.map_events import NO_STORE
from folds.building import store
from folds.mapping import added, booted, changed, cluster, down, refused, written_off
from projections.cluster_map import ClusterMap, Osd, Refusal, Retirement

CLUSTER = cluster()
A, A2 = store(1), store(1, 2)


def osd(of: ClusterMap, number: int) -> Osd:
    return of.osds[OsdId(number)]


def test_a_first_boot_gives_the_osd_its_store() -> None:
    before = changed(CLUSTER, added(4))
    after = changed(before, booted(4, boot=3))
    assert osd(after, 4) == replace(
        osd(before, 4), store=store(4), boot=3, address="host:43", is_up=True
    )
    assert osd(after, 4).is_candidate
    assert after.retired == {}


def test_a_later_boot_brings_it_up_at_another_address() -> None:
    after = changed(changed(CLUSTER, down(1)), booted(1, boot=2))
    assert osd(after, 1) == replace(osd(CLUSTER, 1), boot=2, address="host:12")


@pytest.mark.parametrize("boot", [1, 2])
def test_a_boot_that_is_not_above_the_last_is_void(boot: int) -> None:
    before = changed(CLUSTER, booted(1, boot=2))
    assert refused(before, booted(1, boot=boot)) == Refusal(
        f"boot {boot} of {A} is not above boot 2",
        "Another process uses a copy of this data directory: keep one and wipe the other.",
    )


def test_a_new_stores_first_boot_retires_its_predecessor() -> None:
    after = changed(CLUSTER, booted(1, 2), author="osd.1")
    assert (osd(after, 1).store, osd(after, 1).boot) == (A2, 1)
    assert after.retired == {A: Retirement(after.epoch, "osd.1", f"replaced by {A2}")}
    assert (after.is_up(A), after.is_up(A2)) == (False, True)
    assert (after.osd_of(A), after.osd_of(A2)) == (None, osd(after, 1))


def test_it_retires_the_one_that_it_names() -> None:
    after = changed(CLUSTER, booted(1, 2, replaces=A.incarnation))
    assert after.retired == {A: Retirement(after.epoch, "ann", f"replaced by {A2}")}


@pytest.mark.parametrize("named", [NO_STORE, 7])
def test_a_store_that_it_does_not_name_stays(named: int) -> None:
    assert refused(CLUSTER, booted(1, 2, replaces=named)) == Refusal(
        f"osd.1 is {A} by now, which {A2} was not to replace",
        "If that one was this directory before --rebuild emptied it, start with --rebuild again. "
        "Else keep that one, and wipe this directory; if the other's disk is lost, start with "
        "--rebuild on this one.",
    )


def test_where_there_is_no_store_nobody_is_retired() -> None:
    """As where the one it names was written off meanwhile."""
    after = changed(changed(CLUSTER, written_off(A)), booted(1, 2, replaces=A.incarnation))
    assert (osd(after, 1).store, set(after.retired)) == (A2, {A})


def test_its_own_later_boots_replace_nobody() -> None:
    after = changed(CLUSTER, booted(1, boot=2, replaces=NO_STORE))
    assert (osd(after, 1).boot, after.retired) == (2, {})


def test_a_retired_store_never_comes_back() -> None:
    after = changed(CLUSTER, booted(1, 2))
    assert refused(after, booted(1, 1, boot=99)) == Refusal(
        f"{A} is retired: replaced by {A2}",
        "Start the OSD on an empty directory with --rebuild; this disk may not return.",
    )
