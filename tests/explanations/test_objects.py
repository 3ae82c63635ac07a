"""Why an object cannot be read, by what the log has of its copies and the map of its stores."""

import pytest

from eventlog.ids import Epoch, Incarnation, Micros, OsdId, Store, Version
from projections.cluster_map import ClusterMap, Osd, Retirement
from projections.explain import explain_object
from projections.rg_state import Body, Entry, Fact, Memo, OpKind, Status

ONE, TWO = Store(OsdId(1), Incarnation(1)), Store(OsdId(2), Incarnation(2))
WHAT = "version 3 of 'a' cannot be read: "
END = "; write it anew, or delete it."


def entry(*copies: tuple[Store, Status]) -> Entry:
    facts = tuple(Fact(store, Version(3), status) for store, status in copies)
    last = Memo(OpKind.PUT, "a", Version(3), None)
    return Entry(Version(3), Body(1, bytes(32), None, {}), facts, last, Micros(0), None)


def seen(*retired: Store, up: tuple[Store, ...] = ()) -> ClusterMap:
    stores = [store for store in (ONE, TWO) if store not in retired]
    osds = {
        store.osd: Osd(
            osd=store.osd,
            weight=1,
            host="h",
            rack="r",
            is_up=store in up,
            store=store,
        )
        for store in stores
    }
    gone = dict.fromkeys(retired, Retirement(Epoch(1), "operator", "it is gone"))
    return ClusterMap(cluster="c", osds=osds, retired=gone)


HELD_BY_BOTH = entry((ONE, Status.HELD), (TWO, Status.HELD))


def test_one_that_is_up_is_enough() -> None:
    assert explain_object("a", HELD_BY_BOTH, seen(up=(TWO,))) is None


@pytest.mark.parametrize(
    ("known", "retired", "sentence", "who"),
    [
        (HELD_BY_BOTH, (), "only osd.1 and osd.2 hold it, and must come up.", ("osd.1", "osd.2")),
        (HELD_BY_BOTH, (ONE,), "only osd.2 holds it, and must come up.", ("osd.2",)),
        (
            HELD_BY_BOTH,
            (ONE, TWO),
            f"osd.1 and osd.2, which had it, are retired{END}",
            ("operator",),
        ),
        (
            entry((ONE, Status.LOST), (TWO, Status.HELD)),
            (TWO,),
            f"that of osd.1 is damaged or missing{END}",
            ("operator",),
        ),
        (entry((ONE, Status.LOST)), (ONE,), f"osd.1, which had it, is retired{END}", ("operator",)),
        (entry(), (), f"no copy is left{END}", ("operator",)),
    ],
)
def test_who_must_act(
    known: Entry, retired: tuple[Store, ...], sentence: str, who: tuple[str, ...]
) -> None:
    why = explain_object("a", known, seen(*retired))
    assert why is not None
    assert (why.sentence, why.who) == (WHAT + sentence, who)
