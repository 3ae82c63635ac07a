"""Safeguards: who misses what, where one of them is taken away.

Rule: a safeguard that nobody misses is not needed, or not tested. The search
misses it within so many first seeds of clusters with so many copies, or a
transcript ends otherwise, or the reason stands here.

What is not here: how each is taken away (see `simulation.ablations` and
`simulation.copy_ablations`), and the search (see `simulation.search`).
"""

from typing import NamedTuple

from simulation.ablations import ONE_COPY_ABLATIONS, Ablation
from simulation.copy_ablations import COPY_ABLATIONS

ABLATIONS: dict[str, Ablation] = {**ONE_COPY_ABLATIONS, **COPY_ABLATIONS}
"""All, by the name of what is missing."""


class Missed(NamedTuple):
    """The search comes to a violation within so many first seeds, with so many copies."""

    within: int
    copies: int


MISSED_WITHIN: dict[str, Missed] = {
    "fence": Missed(60, 2),
    "epoch-of-fence": Missed(60, 2),
    "round-of-fence": Missed(120, 3),
    "rank-of-claims": Missed(60, 3),
    "new-claim-after-restart": Missed(60, 2),
    "new-round": Missed(60, 2),
    "next-version": Missed(120, 2),
    "settled-before-sweeping": Missed(60, 2),
    "settled-before-failure": Missed(60, 2),
    "read-back": Missed(60, 2),
    "asked-before-read": Missed(60, 2),
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
    "retired-stay-out": Missed(60, 2),
    "boot-of-verdict": Missed(60, 2),
}

MISSED_IN: dict[str, tuple[str, str]] = {
    "asked-before-no": ("transcripts/found_stale_no", "rm b: not found"),
    "newer-statement": (
        "hazards/late_statement",
        "  source osd.2 finishing, remaining none, strays v1",
    ),
    "settled-before-erasing": ("hazards/late_statement", "osd.2 exporting, copies none"),
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
}
"""Too seldom missed in random runs: a transcript of the schedule, and a line it then has."""

NOT_MISSED: dict[str, str] = {
    "store-of-fence": """(epoch, round) alone tells two processes apart: every boot of a store, also
    of a new one, raises the epoch, and of equal pairs only the first claim is accepted""",
    "boot-of-fence": "the same: no process claims under an epoch below that of its own boot",
    "fence-of-dooming": """a dooming is judged again at its own place in the log; without both, that
    is `dooming`, it is missed""",
    "map-read-before-claim": """it saves a claim that the next map makes void at once; what is safe
    rests on the rank of claims and on the fence""",
    "fence-of-retirement": """what the map retired is retired for good, whoever repeats it and when:
    the fence gives it a place in the order of one claim, which only people read""",
    "erased-before-imported-again": "missed too seldom: in about one of 200 seeds",
    "disk-known-before-dooming": """missed too seldom, though disks lose copies without a word here:
    tests/faults/test_two_holders.py shows it with real processes""",
    "fence-of-body": """missed too seldom: a body under an older fence lies staged until the next
    claim, in about one of 100 seeds up to the end""",
    "boot-of-body": "the same, of a body that comes after its peer has started again",
    "settled-is-refused": "the same, of a body that comes when its serial is settled",
    "lacked-before-kept": """one copy too many, which is doomed as every stray is; the part of it
    that is more than thrift is `erased-before-imported-again`""",
    "retired-are-silent": """missed too seldom: what a store said just before it was retired must
    land after that""",
}
"""Why the search does not miss these."""
