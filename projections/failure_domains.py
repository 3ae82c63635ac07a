"""Failure domains: racks of hosts of OSDs, as placement sees them.

Rule: a domain weighs as much as all its candidates together and is known by
its name inside the domain around it. Children stand in ascending order (names
by code point, OSDs by number), whatever order the candidates came in.

What is not here: who is a candidate (see `projections.cluster_map`), and who
is chosen (see `projections.placement`).
"""

from collections.abc import Callable, Iterable
from itertools import groupby

import msgspec

from eventlog.ids import OsdId
from projections.draws import MAX_WEIGHT, Item, key


class Candidate(msgspec.Struct, frozen=True, order=True):
    """An OSD that may be placed. Weight is in 1/65,536; one of 0 is never placed."""

    osd: OsdId
    weight: int
    host: str
    rack: str


class Domain(msgspec.Struct, frozen=True):
    """The cluster, a rack, a host, or (without children) one OSD. Equal: placed alike."""

    name: str
    key: int
    weight: int
    osds: tuple[OsdId, ...]
    children: tuple["Domain", ...]

    @property
    def item(self) -> Item:
        """What it competes with among its siblings."""
        return Item(self.key, self.weight)


def grow(candidates: Iterable[Candidate]) -> Domain:
    """The cluster of these candidates; those without weight are left out.

    Keys are drawn from `rack:<rack>`, `host:<rack>/<host>` and `osd:<number>`.
    """
    present = sorted((c for c in candidates if c.weight), key=lambda c: (c.rack, c.host, c.osd))
    assert all(0 < c.weight <= MAX_WEIGHT for c in present), "a weight is out of range"
    assert len({c.osd for c in present}) == len(present), "an OSD is a candidate twice"
    racks = (
        _around(f"rack:{rack}", [_host(rack, host, inside) for host, inside in hosts])
        for rack, hosts in _nested(present)
    )
    return _around("cluster", list(racks))


def _nested(
    present: list[Candidate],
) -> Iterable[tuple[str, list[tuple[str, list[Candidate]]]]]:
    for rack, in_rack in _grouped(present, lambda c: c.rack):
        yield rack, list(_grouped(in_rack, lambda c: c.host))


def _grouped(
    present: list[Candidate], name: Callable[[Candidate], str]
) -> Iterable[tuple[str, list[Candidate]]]:
    for text, inside in groupby(present, name):
        yield text, list(inside)


def _host(rack: str, host: str, inside: list[Candidate]) -> Domain:
    return _around(f"host:{rack}/{host}", [_osd(c) for c in inside])


def _osd(candidate: Candidate) -> Domain:
    name = f"osd:{candidate.osd}"
    return Domain(name, key(name), candidate.weight, (candidate.osd,), ())


def _around(name: str, children: list[Domain]) -> Domain:
    osds = tuple(osd for child in children for osd in child.osds)
    weight = sum(child.weight for child in children)
    return Domain(name, key(name), weight, osds, tuple(children))
