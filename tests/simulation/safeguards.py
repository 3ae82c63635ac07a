"""Safeguards: who misses what, where one of them is taken away.

Rule: a safeguard that nobody misses is not needed, or not tested. The search
misses it within so many first seeds of clusters with so many copies, or a transcript
ends otherwise. Of what is kept twice the other safeguard is named.

What is not here: how each is taken away (see `simulation.ablations`,
`simulation.copy_ablations` and `simulation.arrival_ablations`), and the search
(see `simulation.search`).
"""

from typing import NamedTuple

from simulation.ablations import ONE_COPY_ABLATIONS, Ablation
from simulation.arrival_ablations import ARRIVAL_ABLATIONS
from simulation.copy_ablations import COPY_ABLATIONS

ABLATIONS: dict[str, Ablation] = {**ONE_COPY_ABLATIONS, **COPY_ABLATIONS, **ARRIVAL_ABLATIONS}
"""All, by the name of what is missing."""


class Missed(NamedTuple):
    """The search comes to a violation within so many first seeds, with so many copies."""

    within: int
    copies: int


MISSED_WITHIN: dict[str, Missed] = {
    "fence": Missed(60, 2),
    "epoch-of-fence": Missed(60, 2),
    "round-of-fence": Missed(60, 1),
    "rank-of-claims": Missed(120, 3),
    "new-claim-after-restart": Missed(60, 2),
    "new-round": Missed(60, 2),
    "next-version": Missed(120, 2),
    "settled-before-sweeping": Missed(60, 2),
    "settled-before-failure": Missed(60, 2),
    "read-back": Missed(60, 2),
    "asked-before-read": Missed(60, 2),
    "own-barrier": Missed(60, 2),
    "named-before-import": Missed(60, 2),
    "doomed-before-erased": Missed(60, 2),
    "counted-before-doomed": Missed(60, 2),
    "only-puts-revive": Missed(120, 1),
    "facts-rise": Missed(60, 1),
    "lost-is-not-doomed": Missed(60, 1),
    "doubted-claim": Missed(60, 2),
    "tombstones-wait": Missed(60, 2),
    "request-memory": Missed(60, 2),
    "calm": Missed(60, 2),
    "exact-placement": Missed(60, 2),
    "durable-before-appended": Missed(60, 2),
    "layout-of-change": Missed(60, 2),
    "swept-files": Missed(60, 2),
    "placed-not-acting": Missed(60, 2),
    "enough-placed": Missed(60, 2),
    "every-placed-counts": Missed(60, 2),
    "min-replicas": Missed(60, 2),
    "durable-before-named": Missed(60, 2),
    "fence-of-put": Missed(60, 2),
    "read-before-settled": Missed(60, 3),
    "settled-by-serial": Missed(60, 2),
    "retired-count-nowhere": Missed(60, 2),
    "retired-stay-out": Missed(120, 3),
    "boot-of-verdict": Missed(60, 2),
    "slots-given-back": Missed(60, 2),
    "arriving-is-owned-up": Missed(60, 2),
    "claimed-before-body": Missed(60, 2),
    "reserved-given-back": Missed(60, 2),
    "settled-is-told": Missed(60, 2),
}

MISSED_IN: dict[str, tuple[str, str]] = {
    "asked-before-no": ("transcripts/found_stale_no", "rm b: not found"),
    "newer-statement": (
        "hazards/late_statement",
        "  source osd.2 finishing, remaining none, strays v1",
    ),
    "settled-before-erasing": ("hazards/late_statement", "osd.2 exporting, copies none"),
    "void-claims-end-no-doubt": (
        "transcripts/found_doubt_forgotten",
        "osd.1 clean, copies v1, 1 staged, 0 imported and not logged",
    ),
    "gone-may-be-back": (
        "transcripts/found_gone_and_back",
        "rg@6    rg 0 osd.1 has no more v1: not on the disk",
    ),
    "outlived-is-owned-up": (
        "transcripts/found_outlived_import",
        "rg@8    rg 0 osd.2 holds 0 at v2",
    ),
    "dooming-judged-in-place": (
        "transcripts/dooming_overtaken",
        "rg@8    rg 0 osd.1 erased v1",
    ),
    "dooming": ("transcripts/dooming_overtaken", "rg@8    rg 0 osd.1 erased v1"),
    "end-of-claim": (
        "transcripts/append_unsaid",
        "osd.1 clean, copies v1, 3 staged, 0 imported and not logged",
    ),
    "staged-is-remembered": (
        "transcripts/found_staged_unread",
        "  osd.2 must erase 1 copy of rg 0, doomed in the log.",
    ),
    "void-imports": (
        "transcripts/found_late_import",
        "rg@8    rg 0 osd.2 has no more v1: not on the disk",
    ),
    "doubted-snapshots": ("transcripts/doubted_snapshot", "get alpha: not found"),
    "disk-known-before-dooming": (
        "transcripts/losses_before_dooming",
        "get a: unavailable, v1 is only on no store",
    ),
    "fence-of-body": (
        "transcripts/late_body_fenced",
        "osd.2 replica, copies v3, 1 staged, 0 imported and not logged",
    ),
    "boot-of-body": (
        "transcripts/late_body_to_next_process",
        "osd.2 replica, copies none, 1 staged, 0 imported and not logged",
    ),
    "settled-is-refused": (
        "transcripts/late_body_settled",
        "osd.2 replica, copies v1, 1 staged, 0 imported and not logged",
    ),
    "put-is-refused": (
        "transcripts/late_body_after_proof",
        "osd.2 replica, copies none, 1 staged, 0 imported and not logged",
    ),
    "retired-are-silent": (
        "transcripts/retired_store_heard_late",
        "  osd.1 must still say in the log of rg 0 that osd.2/0000000000000002 is retired.",
    ),
    "map-read-before-claim": (
        "transcripts/claim_by_old_map",
        "rg@0    rg 0 claimed e6.1 osd.1 boot 1, placed osd.1",
    ),
    "erasure-of-the-old-copy": (
        "transcripts/erasure_of_the_old_copy",
        "rg@12   rg 0 osd.1 erased v1",
    ),
    "arriving-keeps-open": ("transcripts/slow_body_keeps_open", "osd.1 undef"),
    "arriving-in-snapshots": (
        "transcripts/slow_body_and_snapshot",
        "rg@9    rg 0 osd.3 holds 0 at v2",
    ),
    "next-serial": (
        "transcripts/late_body_in_snapshot",
        "osd.3 replica, copies v1, 1 staged, 0 imported and not logged, 1 handed over",
    ),
    "snapshot-of-primary": (
        "transcripts/late_body_in_others_snapshot",
        "osd.3 replica, copies v1, 1 staged, 0 imported and not logged, 1 handed over",
    ),
    "overtaken": (
        "transcripts/slow_body_overtaken",
        "osd.2 undef, copies none, something arrives",
    ),
    "left-is-remembered": (
        "transcripts/late_body_after_closing",
        "osd.2 replica, copies none, 1 staged, 0 imported and not logged",
    ),
    "retirement-wakes": (
        "transcripts/source_retired",
        "  osd.2 must still say in the log of rg 0 that osd.1/0000000000000001 is retired.",
    ),
    "replaced-is-named": (
        "transcripts/late_first_boot",
        (
            "osd.2 stopped: osd.2/0000000000000003 was retired: replaced by "
            "osd.2/0000000000000002. This disk may not return; start on an empty directory with "
            "--rebuild."
        ),
    ),
    "lacked-before-kept": ("transcripts/late_body_not_lacked", "rg@4    rg 0 osd.2 imported v1"),
}
"""Too seldom missed in random runs: a transcript of the schedule, and a line it then has."""

HELD_TWICE: dict[str, str] = {
    "store-of-fence": """(epoch, round) alone tells two processes apart: every boot of a store, also
    of a new one, raises the epoch, one store is an RG's primary in an epoch, and of equal pairs
    only the first claim is accepted""",
    "boot-of-fence": "the same: no process claims under an epoch below that of its own boot",
    "fence-of-dooming": """a dooming is judged again at its own place in the log; without both, that
    is `dooming`, it is missed""",
    "fence-of-retirement": """what the map retired is retired for good, whoever repeats it and when:
    the fence gives it a place in the order of one claim, which only people read""",
    "erased-before-imported-again": """a store says what it erased before what it imported; without
    both, that is `erasure-of-the-old-copy`, it is missed""",
    "erased-said-first": "the same: nothing is imported of what is to be erased",
    "put-of-arriving": """what is staged after its put was folded goes once the primary has told
    what is settled, and it tells every peer of the reservation until that is heard""",
}
"""What keeps the cluster whole where one of these alone is taken away: no schedule misses it.

Of those that are rules of the fold the rule's own test objects: the log may have what no node here
would say.
"""
