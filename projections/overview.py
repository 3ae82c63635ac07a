"""Overviews: what a cluster was at one moment, in the numbers that people compare.

Rule: an overview is a pure function of the map and the folded RGs, of one
moment both. States are those of section `projections.states`, as they show at
the OSD that is asked about; whoever's claim stands is taken to be alive, since
no log says which process runs.

What is not here: objects by name, and how an overview is printed.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from eventlog.ids import OsdId, RgId, Store
from projections.cluster_map import ClusterMap, candidates
from projections.placement import PlacementTable, place_all
from projections.rg_state import RgState
from projections.states import State, View, flags


class RgOverview(NamedTuple):
    """One RG, as it shows at its primary."""

    rg: RgId
    placed: tuple[Store, ...]
    primary: Store | None
    states: tuple[State, ...]
    """Empty where no store is up that could be its primary."""
    version: int
    objects: int
    bytes: int
    """Of live objects, one copy each."""
    tombstones: int
    unheld: int
    copies: int
    """Held, hence counted, wherever they are."""
    strays: int
    """Facts that do not count, or of stores outside placed."""
    voids: int


class StoreOverview(NamedTuple):
    """What one store has, in all RGs together."""

    store: Store
    condition: str
    """By the map: `up`, `down`, or what else became of it."""
    rgs: int
    """In which it is placed."""
    held: int
    doomed: int
    lost: int


class RgAtStore(NamedTuple):
    """One RG, as it shows at one store."""

    rg: RgId
    store: Store
    states: tuple[State, ...]
    held: int
    doomed: int
    lost: int
    lacking: int
    """Live objects that it is to have and whose copy here does not count."""
    boot: int
    n: int
    """(boot, n) of its last accepted statement."""
    digest: bytes
    """Of its holdings."""


class Overview(NamedTuple):
    """A cluster at one moment."""

    rgs: tuple[RgOverview, ...]
    """Those with an event, in order."""
    stores: tuple[StoreOverview, ...]


def overview(
    cluster_map: ClusterMap, states: Mapping[RgId, RgState], only: RgId | None = None
) -> Overview:
    """All RGs and stores; or `only` that RG, with the stores that are placed there or have facts.

    `states` has no other RG than that then.
    """
    where = _Where(cluster_map)
    ordered = sorted(states.items())
    return Overview(
        rgs=tuple(_rg(where, rg, state) for rg, state in ordered),
        stores=tuple(_stores(where, states.values(), only)),
    )


def at_osd(
    cluster_map: ClusterMap, states: Mapping[RgId, RgState], osd: OsdId
) -> tuple[RgAtStore, ...]:
    """What concerns this OSD: RGs placed on it, or of which a disk of it has a fact."""
    where = _Where(cluster_map)
    now = cluster_map.osds[osd].store if osd in cluster_map.osds else None
    found = []
    for rg, state in sorted(states.items()):
        stores = {store for store in state.holders if store.osd == osd}
        if now is not None and now in where.placed(rg):
            stores.add(now)
        found += [_at_store(where, rg, state, store) for store in sorted(stores)]
    return tuple(found)


class _Where:
    """The placement of one map."""

    def __init__(self, cluster_map: ClusterMap) -> None:
        self.map = cluster_map
        self._table: PlacementTable | None = None
        if cluster_map.rg_count:
            chosen, pins = candidates(cluster_map), dict(cluster_map.pins)
            self._table = place_all(chosen, cluster_map.rg_count, cluster_map.replicas, pins)

    def placed(self, rg: RgId) -> tuple[Store, ...]:
        if self._table is None or rg >= self._table.rg_count:
            return ()
        stores = (self.map.osds[osd].store for osd in self._table.placed(rg))
        return tuple(store for store in stores if store is not None)

    def acting(self, placed: Iterable[Store]) -> tuple[Store, ...]:
        return tuple(store for store in placed if self.map.is_up(store))

    def counts(self, only: RgId | None) -> dict[Store, int]:
        """In how many RGs the store of each OSD is placed; or of those of `only` that RG."""
        if only is not None:
            return dict.fromkeys(self.placed(only), 1)
        osds = self.map.osds.values()
        found = {osd.store: 0 for osd in osds if osd.store is not None}
        for row in self._table.rows.tolist() if self._table is not None else ():
            for number in row:
                osd = self.map.osds.get(number)
                if osd is not None and osd.store is not None:
                    found[osd.store] += 1
        return found


def _flags(where: _Where, rg: RgId, state: RgState, me: Store) -> tuple[State, ...]:
    placed = where.placed(rg)
    claim = state.standing
    mine = claim.fence if claim is not None and claim.fence.store == me else None
    return flags(View(me, placed, where.acting(placed), where.map.replicas, state, mine))


def _rg(where: _Where, rg: RgId, state: RgState) -> RgOverview:
    placed = where.placed(rg)
    acting = where.acting(placed)
    ledgers = state.ledgers.items()
    held = sum(ledger.held for _, ledger in ledgers)
    counted = sum(ledger.held for store, ledger in ledgers if store in placed)
    return RgOverview(
        rg=rg,
        placed=placed,
        primary=acting[0] if acting else None,
        states=_flags(where, rg, state, acting[0]) if acting else (),
        version=state.version,
        objects=state.live,
        bytes=state.size,
        tombstones=state.tombstones,
        unheld=state.unheld,
        copies=held,
        strays=sum(ledger.facts for _, ledger in ledgers) - counted,
        voids=state.voids,
    )


def _stores(where: _Where, states: Iterable[RgState], only: RgId | None) -> Iterable[StoreOverview]:
    counts = where.counts(only)
    sums = dict.fromkeys(counts, (0, 0, 0))
    for state in states:
        for store, ledger in state.ledgers.items():
            if ledger.facts or store in sums:
                held, doomed, lost = sums.get(store, (0, 0, 0))
                sums[store] = (held + ledger.held, doomed + ledger.doomed, lost + ledger.lost)
    for store in sorted(sums):
        condition = _condition(where.map, store)
        yield StoreOverview(store, condition, counts.get(store, 0), *sums[store])


def _condition(cluster_map: ClusterMap, store: Store) -> str:
    osd = cluster_map.osd_of(store)
    if osd is None:
        return "retired" if store in cluster_map.retired else "unknown"
    words = ["up" if osd.is_up else "down"]
    words += ["out"] if not osd.is_in else []
    words += ["leaving"] if osd.is_leaving else []
    return " ".join(words)


def _at_store(where: _Where, rg: RgId, state: RgState, store: Store) -> RgAtStore:
    ledger = state.ledger(store)
    is_placed = store in where.placed(rg)
    return RgAtStore(
        rg=rg,
        store=store,
        states=_flags(where, rg, state, store),
        held=ledger.held,
        doomed=ledger.doomed,
        lost=ledger.lost,
        lacking=state.live - ledger.held if is_placed else 0,
        boot=ledger.boot,
        n=ledger.n,
        digest=ledger.holdings.digest_bytes(),
    )
