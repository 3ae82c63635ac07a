"""Maps in a row: what each step moves had it stood, and what is left of it in the whole."""

from hypothesis import given, settings
from hypothesis import strategies as st

from folds.planning import RGS, cluster_of, maps, osd, placed_stats, stats, with_osds
from projections.cluster_map import ClusterMap, Osd
from projections.map_plan import Survey, make_plan, table_of
from projections.map_sequence import steps_of
from projections.rg_stats import Amount, RgStats, placed_copies

THREE = cluster_of(osd(1), osd(2), osd(3))
SIZES = placed_stats(THREE, dict.fromkeys(range(RGS), 100))


def test_a_detour_costs_steps_and_the_whole_nothing() -> None:
    slip = with_osds(THREE, osd(1, weight=100))
    found = steps_of([THREE, slip, THREE], SIZES, None)
    there, back = found.steps
    assert there.moved == back.moved == Amount(there.moved.objects, there.minimum)
    assert found.total.size == 2 * there.moved.size > 0
    assert (found.whole.moved, found.whole.rgs) == (Amount(), 0)


def test_one_that_is_added_counts_as_started_where_the_maps_do_not_say() -> None:
    added = with_osds(THREE, osd(4, store=None))
    later = with_osds(added, osd(1, weight=2))
    assert steps_of([THREE, added, later], SIZES, None).steps[0].moved == Amount()
    of_file = steps_of([THREE, added, later], SIZES, THREE)
    assert of_file.steps[0].moved.size == of_file.steps[0].minimum > 0
    assert of_file.whole.after is later


def test_a_single_map_moves_nothing() -> None:
    found = steps_of([THREE], SIZES, None)
    assert found.steps == ()
    assert found.whole.moved == found.total == Amount()


@given(st.lists(maps(), min_size=2, max_size=4), st.data())
@settings(max_examples=50)
def test_each_step_is_the_plan_of_a_cluster_at_rest(
    row: list[ClusterMap], data: st.DataObject
) -> None:
    some = data.draw(stats(row[0]))
    found = steps_of(row, some, None)
    for step in (*found.steps, found.whole):
        table = table_of(step.before)
        at_rest = RgStats(some.objects, some.sizes, placed_copies(some, table.rows))
        known = with_osds(step.before, *step.after.osds.values())  # nobody is new to the plan
        plan = make_plan(
            with_osds(step.before, *_unknown(step.before, known)), step.after, Survey(at_rest)
        )
        assert (step.moved, step.minimum) == (plan.moved, plan.minimum)


def _unknown(before: ClusterMap, known: ClusterMap) -> list[Osd]:
    """The OSDs that come later, as if they had been added and never started."""
    return [osd(number, store=None) for number in sorted(known.osds) if number not in before.osds]
