"""The placement of one RG: the rule as it is written.

Rule: what `projections.placement` says of an RG, and defines, in plain
integers. numpy is not loaded: it takes longer than a small command.

What is not here: tables of all RGs (see `projections.placement`).
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from eventlog.ids import OsdId, RgId
from projections.draws import draw, seed
from projections.failure_domains import Candidate, Domain, grow

Pins = Mapping[RgId, tuple[OsdId, ...]]


def place_one(
    rg: RgId, candidates: Iterable[Candidate], replicas: int, pins: Pins | None = None
) -> tuple[OsdId, ...]:
    """The placement of one RG. The cluster is remembered between calls."""
    return place_in(_remembered(tuple(candidates)), rg, replicas, (pins or {}).get(rg, ()))


@lru_cache(maxsize=4)
def _remembered(candidates: tuple[Candidate, ...]) -> Domain:
    return grow(candidates)


def place_in(
    cluster: Domain, rg: RgId, replicas: int, pinned: tuple[OsdId, ...]
) -> tuple[OsdId, ...]:
    """The placement of one RG that is pinned so, in a cluster that is grown already."""
    rg_seed = seed(rg)
    placed = [osd for osd in dict.fromkeys(pinned) if osd in cluster.osds][:replicas]
    while len(placed) < min(replicas, len(cluster.osds)):
        domain = cluster
        while domain.children:
            domain = _next_child(domain, rg_seed, placed)
        placed.append(domain.osds[0])
    return tuple(placed)


def _next_child(domain: Domain, rg_seed: int, placed: list[OsdId]) -> Domain:
    taken = [sum(osd in child.osds for osd in placed) for child in domain.children]
    free = [
        (count, number)
        for number, (child, count) in enumerate(zip(domain.children, taken, strict=True))
        if count < len(child.osds)
    ]
    fewest = min(free)[0]
    rivals = [number for count, number in free if count == fewest]
    if len(rivals) == 1:
        return domain.children[rivals[0]]
    return min(
        (domain.children[number] for number in rivals),
        key=lambda child: draw(rg_seed, child.item),
    )
